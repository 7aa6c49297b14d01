"""One JSON line a request, one an answer: the other end is python-child.ts."""

import json
import signal
import sys


def answer_all(actions):
    # Ctrl-C reaches every process of a terminal; the end of our input says when it is time.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for line in sys.stdin:
        request = json.loads(line)
        try:
            answer = {"value": actions[request.pop("do")](**request)}
        except Exception as error:
            answer = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), flush=True)
