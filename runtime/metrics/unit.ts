/** Of a metric, as UCUM writes it, which OpenTelemetry wants: its name tells. */
export function unitOf(name: string): 's' | 'By' | '1' {
  const base = name.replace(/_total$/, '');
  if (base.endsWith('_seconds')) return 's';
  return base.endsWith('_bytes') ? 'By' : '1';
}
