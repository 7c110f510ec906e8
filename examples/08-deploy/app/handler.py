"""What this service computes: put your model here."""

import json


def handle(records: "list[str]") -> "list[str]":
    """For each person, as JSON, what one earns in a year."""
    people = map(json.loads, records)
    return [json.dumps({"id": p["id"], "year": p["hours"] * p["wage"] * 52}) for p in people]
