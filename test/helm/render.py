"""Renders the chart, by the library of Helm itself.

Reads {"chart", "release", "namespace", "values"} as JSON on stdin; prints {"files"} or {"error"}.
"""

import json
import sys

import helm_python

order = json.load(sys.stdin)
try:
    chart = helm_python.Chart.load(order['chart'])
    files = chart.render(order['values'], name=order['release'], namespace=order['namespace'])
    print(json.dumps({'files': files}))
except Exception as error:  # noqa: BLE001: what is wrong is told to whoever asked.
    print(json.dumps({'error': str(error)}))
