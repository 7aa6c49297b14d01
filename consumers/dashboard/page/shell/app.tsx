import { useSignalEffect } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import { checkSession, session } from '../api.ts';
import { CameraPage } from '../camera/camera-page.tsx';
import { live, watched } from '../context.ts';
import { FleetPage } from '../fleet/fleet-page.tsx';
import { FramePage } from '../frame/frame-page.tsx';
import { route } from '../navigation.ts';
import { type Route, titleOf, WALL } from '../route.ts';
import { Wall } from '../wall/wall.tsx';
import { Header } from './header.tsx';
import { KeysDialog } from './keys-dialog.tsx';
import { Link } from './link.tsx';
import { Login } from './login.tsx';
import { Notices } from './notices.tsx';

export function App() {
  useEffect(() => void checkSession(), []);
  useSignalEffect(() => {
    if (session.value === 'open') live.start();
    return () => live.stop();
  });
  useSignalEffect(() => live.watch(watched.value));
  useSignalEffect(() => {
    document.title = titleOf(route.value);
  });
  if (session.value === 'closed') return <Login />;
  return (
    <>
      <a class="skip" href="#content">
        Skip to content
      </a>
      <Header />
      <Notices />
      <main id="content" tabIndex={-1}>
        <Page route={route.value} />
      </main>
      <KeysDialog />
    </>
  );
}

function Page({ route }: { readonly route: Route }) {
  switch (route.page) {
    case 'wall':
      return <Wall query={route.query} />;
    case 'camera':
      return <CameraPage key={route.cameraId} cameraId={route.cameraId} />;
    case 'frame':
      return <FramePage key={route.frameId} frameId={route.frameId} />;
    case 'fleet':
      return <FleetPage />;
    case 'missing':
      return (
        <section class="page">
          <h1>There is nothing at {route.path}</h1>
          <p>
            <Link href={WALL}>To the wall</Link>
          </p>
        </section>
      );
  }
}
