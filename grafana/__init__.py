"""Grafana as code: rules, routes and dashboards, applied through grafana-api.

`client` is the only module that imports grafana-api; `plan` compares what is wanted with what is
found (pure); `apply` carries a plan out; `export` writes the same content as files.
"""
