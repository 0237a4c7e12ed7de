"""The test kit for connectors: subclass once, give a factory, and the contract is proven.

::

    class TestAcme(HttpConnectorSuite):
        secrets = ("t0ken",)

        def connector(self, context):
            return AcmeConnector(AcmeSettings(type="acme", url="https://acme.example"), context)

        def server(self):
            return AcmePages(pages=3)          # answers requests as the API's documentation says

        expected_ids = ("1", "2", "3", "4", "5", "6")

`ConnectorSuite` holds what is asked of every connector; `HttpConnectorSuite` adds what networks
and servers do wrong: rate limits, refusals, time-outs, cut and malformed bodies. A source that
pushes sets `finite = False` and runs its server in `serving`; one that others deliver to sets
`delivered = True` and runs a sender there.
"""

from connectors.testkit.http import HttpConnectorSuite, Recorded, Server
from connectors.testkit.suite import NOW, ConnectorSuite

__all__ = ["NOW", "ConnectorSuite", "HttpConnectorSuite", "Recorded", "Server"]
