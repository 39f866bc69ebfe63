# No sanitizer: hproxy is tested with them elsewhere.
"""scripts/cluster: several hproxy behind an address that moves, a name, and load balancers, on several
hosts in network namespaces."""

import pytest

from cluster_lab import shown


@pytest.mark.parametrize("what", ["vrrp", "dns", "balancer"])
def test_clients_are_answered_while_one_proxy_is_away(lab, what):
    said = shown(lab, what)
    assert said[-1] == f"== {what}: all as it should be"
    assert sum("ten clients" in line for line in said) >= 3
