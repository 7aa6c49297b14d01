import { useState } from 'preact/hooks';
import { RequestError, signIn } from '../api.ts';

/** The form for the token that the server wants. */
export function Login() {
  const [problem, setProblem] = useState<string>();
  const [isAsking, setAsking] = useState(false);
  const submit = async (event: SubmitEvent) => {
    event.preventDefault();
    const form = event.currentTarget as HTMLFormElement;
    const token = new FormData(form).get('token');
    setAsking(true);
    try {
      await signIn(String(token));
    } catch (error) {
      if (!(error instanceof RequestError)) throw error;
      setProblem(error.status === 401 ? 'That is not the token.' : error.message);
    } finally {
      setAsking(false);
    }
  };
  return (
    <main class="login">
      <h1>Halfsight</h1>
      <form onSubmit={(event) => void submit(event)}>
        <label for="token">Token</label>
        <input
          id="token"
          name="token"
          type="password"
          autocomplete="current-password"
          required
          aria-describedby="token-help"
          aria-invalid={problem !== undefined}
        />
        <p id="token-help" class="muted">
          Whoever runs this server has it: HALFSIGHT_WALL_TOKEN.
        </p>
        <p role="alert" class="problem">
          {problem}
        </p>
        <button type="submit" class="button" disabled={isAsking}>
          Sign in
        </button>
      </form>
    </main>
  );
}
