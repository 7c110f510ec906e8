"""What an order comes to; a change of it stays the change that it was."""

from __future__ import annotations

from typing import Any


def handle(changes: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [change | {"new": invoice(change.get("new"))} for change in changes]


def invoice(order: dict[str, Any] | None) -> dict[str, Any] | None:
    if order is None:
        return None
    return {
        "id": order["id"],
        "buyer": order["buyer"].upper(),
        "total": order["price"] * order["quantity"],
    }
