# No sanitizer: the servers are tested with them in test_hchat_broker.
"""scripts/cluster chat: hchat on several hosts, in network namespaces."""

import os

from cluster_lab import shown


def test_rooms_are_shared_by_hosts(lab):
    said = shown(lab, "chat")
    assert said[-1] == "== chat: all as it should be"


def test_what_is_no_set_up_is_told(lab):
    for words in [], ["x"], ["chat", "x"]:
        assert lab.run(os.path.join(os.path.dirname(__file__), "../../scripts/cluster"), *words).wait() == 2
