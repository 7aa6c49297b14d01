import { defined } from '#runtime/assert.ts';

/**
 * What KEDA and the HorizontalPodAutoscaler do with a ScaledObject, by their documented formulas:
 *
 * - KEDA makes each trigger a metric of an HPA (keda.sh/docs, "Scaling Deployments").
 * - The HPA desires of `Value` ceil(replicas x value / target), of `AverageValue` ceil(value /
 *   target), no change while the ratio is within a tenth of 1, and of all metrics the most
 *   (kubernetes.io/docs, "Horizontal Pod Autoscaling", Algorithm details).
 * - Then `behavior`: of the stabilization windows the least of what was desired upwards and most
 *   downwards, and of the policies what they allow in their period (same page, Configurable scaling
 *   behavior).
 */
export interface ScaledObjectSpec {
  readonly minReplicaCount: number;
  readonly maxReplicaCount: number;
  readonly pollingInterval: number;
  readonly advanced: {
    readonly horizontalPodAutoscalerConfig: { readonly behavior: Behavior };
  };
  readonly triggers: readonly Trigger[];
}

export interface Behavior {
  readonly scaleUp: ScalingRules;
  readonly scaleDown: ScalingRules;
}

interface ScalingRules {
  readonly stabilizationWindowSeconds: number;
  readonly selectPolicy: 'Max';
  readonly policies: readonly {
    readonly type: 'Pods' | 'Percent';
    readonly value: number;
    readonly periodSeconds: number;
  }[];
}

export interface Trigger {
  readonly type: 'prometheus' | 'kafka';
  readonly name: string;
  readonly metricType: 'Value' | 'AverageValue';
  readonly metadata: Readonly<Record<string, string>>;
}

/** What there is to be seen of a fleet of consumers at one moment. */
export interface Observed {
  /** Age of the oldest frame of any partition that is not committed. */
  readonly lagSeconds: number;
  /** Over the last two minutes. */
  readonly framesPerSecond: number;
  readonly lagRecordsByPartition: readonly number[];
}

const TOLERANCE = 0.1;
/** How often the HPA looks (--horizontal-pod-autoscaler-sync-period). */
export const SYNC_SECONDS = 15;

/** The one of a ScaledObject; asked every `SYNC_SECONDS`. */
export class Autoscaler {
  readonly #spec: ScaledObjectSpec;
  readonly #desired: { readonly atSeconds: number; readonly replicas: number }[] = [];
  readonly #changes: { readonly atSeconds: number; readonly by: number }[] = [];

  constructor(spec: ScaledObjectSpec) {
    this.#spec = spec;
  }

  next(atSeconds: number, replicas: number, observed: Observed): number {
    const { minReplicaCount: least, maxReplicaCount: most, triggers } = this.#spec;
    const each = triggers.map((trigger) => desiredBy(trigger, replicas, observed));
    const desired = Math.min(most, Math.max(least, ...each));
    const stable = this.#stabilized(atSeconds, replicas, desired);
    const next = Math.min(most, Math.max(least, this.#allowed(atSeconds, replicas, stable)));
    if (next !== replicas) this.#changes.push({ atSeconds, by: next - replicas });
    return next;
  }

  #stabilized(atSeconds: number, replicas: number, desired: number): number {
    const { scaleUp, scaleDown } = this.#behavior;
    this.#desired.push({ atSeconds, replicas: desired });
    const within = (seconds: number) =>
      this.#desired
        .filter((one) => one.atSeconds > atSeconds - seconds || one.atSeconds === atSeconds)
        .map((one) => one.replicas);
    const up = Math.min(...within(scaleUp.stabilizationWindowSeconds));
    const down = Math.max(...within(scaleDown.stabilizationWindowSeconds));
    if (replicas < up) return up;
    return replicas > down ? down : replicas;
  }

  #allowed(atSeconds: number, replicas: number, wanted: number): number {
    if (wanted === replicas) return replicas;
    const isUp = wanted > replicas;
    const { policies } = isUp ? this.#behavior.scaleUp : this.#behavior.scaleDown;
    const limits = policies.map(({ type, value, periodSeconds }) => {
      const changed = this.#changes
        .filter((one) => one.atSeconds > atSeconds - periodSeconds)
        .reduce((sum, one) => sum + one.by, 0);
      const before = replicas - changed;
      const step = type === 'Pods' ? value : (before * value) / 100;
      return isUp ? Math.ceil(before + step) : Math.floor(before - step);
    });
    // `Max` is the policy that allows most; what was changed in this period may leave nothing.
    return isUp
      ? Math.min(wanted, Math.max(replicas, ...limits))
      : Math.max(wanted, Math.min(replicas, ...limits));
  }

  get #behavior(): Behavior {
    return this.#spec.advanced.horizontalPodAutoscalerConfig.behavior;
  }
}

/** Replicas that one trigger desires. */
export function desiredBy(trigger: Trigger, replicas: number, observed: Observed): number {
  const { value, target } = metricOf(trigger, observed);
  const ratio =
    trigger.metricType === 'Value' ? value / target : value / (target * Math.max(1, replicas));
  if (Math.abs(ratio - 1) <= TOLERANCE) return replicas;
  return trigger.metricType === 'Value' ? Math.ceil(replicas * ratio) : Math.ceil(value / target);
}

function metricOf({ type, name, metadata }: Trigger, observed: Observed) {
  if (type === 'kafka') return kafkaMetric(metadata, observed.lagRecordsByPartition);
  const target = Number(defined(metadata.threshold, `the threshold of ${name}`));
  const query = defined(metadata.query, `the query of ${name}`);
  if (query.includes('halfsight_inference_lag_seconds')) {
    return { value: observed.lagSeconds, target };
  }
  if (query.includes('halfsight_inference_frames_committed_total')) {
    return { value: observed.framesPerSecond, target };
  }
  throw new Error(`${name} asks for a metric that is not simulated: ${query}`);
}

/** As KEDA's Kafka scaler adds lags up (getTotalLag in pkg/scalers/kafka_scaler.go). */
function kafkaMetric(metadata: Trigger['metadata'], lags: readonly number[]) {
  const target = Number(defined(metadata.lagThreshold, 'lagThreshold'));
  const total = lags.reduce((sum, lag) => sum + lag, 0);
  const mayIdle = metadata.allowIdleConsumers === 'true';
  const isByLag = metadata.limitToPartitionsWithLag === 'true';
  if (mayIdle && !isByLag) return { value: total, target };
  const bound = isByLag ? lags.filter((lag) => lag > 0).length : lags.length;
  return { value: Math.floor(total / target) > bound ? bound * target : total, target };
}
