import type { Inspection, LatentFacts } from '../../inspect/inspection.ts';
import { Facts } from '../shell/facts.tsx';
import { Measured } from '../shell/measured.tsx';
import { bytesText, countText, percentText } from '../text.ts';
import { ChannelBars } from './channel-bars.tsx';
import { HeatMap } from './heat-map.tsx';

const TOP_CHANNELS = 8;
const BITS = 8;

/** What the frame's kilobytes are spent on. */
export function Bitstream({ inspection }: { readonly inspection: Inspection }) {
  if (!inspection.found || inspection.bitstream === null) return null;
  const { bitstream, latent, frame } = inspection;
  return (
    <section aria-labelledby="bitstream-title">
      <h2 id="bitstream-title">
        Bitstream <small>{bytesText(bitstream.bytes)}</small>
      </h2>
      <div class="cards">
        <Facts
          title="Container"
          facts={[
            ['Latent', `${bitstream.channels} × ${bitstream.height} × ${bitstream.width}`],
            ['Prior', `${bitstream.prior}, ${bitstream.frameType}`],
            ['Chunks', countText(bitstream.chunks.length)],
            ['Payload', bytesText(bitstream.payloadBytes)],
            ['Header and checksums', bytesText(bitstream.containerBytes)],
            ['Tables', bitstream.tableHash],
            ...(bitstream.side === null
              ? []
              : [['Side latent', bytesText(bitstream.side.bytes)] as const]),
          ]}
        />
        {latent !== null && (
          <>
            <LatentSummary latent={latent} />
            <TopChannels latent={latent} />
          </>
        )}
      </div>
      {latent !== null && (
        <div class="bits">
          <figure class="panel">
            <Measured aspect={4}>
              {(size) => <ChannelBars {...size} channels={latent.channels} />}
            </Measured>
            <figcaption>Bits by channel, in the order of the latent</figcaption>
          </figure>
          <figure class="panel">
            <Measured aspect={latent.energy.width / Math.max(1, latent.energy.height)}>
              {(size) => <HeatMap {...size} map={latent.energy} content={frame} />}
            </Measured>
            <figcaption>
              Bits by place: the brighter, the more; the frame is where the picture lies
            </figcaption>
          </figure>
        </div>
      )}
    </section>
  );
}

function LatentSummary({ latent }: { readonly latent: LatentFacts }) {
  const { bits, stateBits, symbols, nonZero, channels } = latent;
  const silent = channels.filter((channel) => channel.nonZero === 0).length;
  return (
    <Facts
      title="Symbols"
      facts={[
        ['Symbols', countText(symbols)],
        ['Not zero', `${countText(nonZero)} (${percentText(nonZero / Math.max(1, symbols))})`],
        ['Bits of symbols', bytesText(Math.round(bits / BITS))],
        ['Coder’s state', bytesText(Math.round(stateBits / BITS))],
        ['Bits a symbol', (bits / Math.max(1, symbols)).toFixed(3)],
        ['Channels that say nothing', `${silent} of ${channels.length}`],
      ]}
    />
  );
}

function TopChannels({ latent }: { readonly latent: LatentFacts }) {
  const top = latent.channels
    .map((channel, index) => ({ ...channel, index }))
    .sort((a, b) => b.bits - a.bits)
    .slice(0, TOP_CHANNELS);
  return (
    <Facts
      title="Channels with the most bits"
      facts={top.map(({ index, bits, share }) => [
        `Channel ${index}`,
        `${countText(Math.round(bits))} bits, ${percentText(share)}`,
      ])}
    />
  );
}
