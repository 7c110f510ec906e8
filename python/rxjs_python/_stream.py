"""Nodes of a streaming graph that share an interpreter: messages go from one to another here."""

from __future__ import annotations

import json
import sys
import threading

from . import host
from ._graph import load
from ._report import describe_error

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    # Node, origin and flow as numbers, and what was sent.
    Sent = tuple[int, int, int, Any]
    # The same with the node itself, and its origin's name.
    Message = tuple["_Node", str, int, Any]
    # The only next node in this interpreter, where it is one; all of them; and whether there are
    # others, or none.
    Route = tuple["_Node | None", tuple["_Node", ...], bool]

# In place of a node's number; see lib/graph/stream/python.ts.
FAILED = -1
COUNTS = -2
STOP = -1


class FlowError(Exception):
    """A message was sent along a flow that is not there, or that its node is not in."""


class _Here(threading.local):
    """What the thread is at work on: a message to a node with state."""

    node = -1
    flow = -1
    send: Any = None


_here = _Here()


class StatelessApi:
    """What stateless algorithms are given besides their arguments, while they are called."""

    __slots__ = ("_group", "_queue", "_sent", "flow", "node")

    def __init__(self, group: Group, queue: list[Message], sent: list[Any]) -> None:
        self._group = group
        self._queue = queue
        self._sent = sent
        self.node = 0
        self.flow = 0

    def sendMessage(self, msg: Any, flowName: str | None = None) -> None:
        """Sends a message on, along the flow that the one at hand came by or along another."""
        flow = self.flow if flowName is None else self._group.flow_number(flowName)
        self._group.emit(self.node, flow, msg, self._queue, self._sent)


class StatefulApi:
    """What an algorithm with state is given; its methods may be called from any thread."""

    def __init__(self, group: Group, node: int) -> None:
        self._group = group
        self._node = node
        self._listening = threading.Event()
        self._stopped = threading.Event()
        self.on_message: Callable[[Any, str], Any] | None = None

    def sendMessage(self, msg: Any, flowName: str | None = None) -> None:
        """Sends a message on: along the flow of the one at hand, the default flow, or another.

        Where no message is at hand, it waits until there is room in the graph.
        """
        group = self._group
        flow = None if flowName is None else group.flow_number(flowName)
        if _here.node == self._node:
            _here.send(_here.flow if flow is None else flow, msg)
            return
        chosen = group.default_flow if flow is None else flow
        group.demand(self._node, chosen)
        host.call(group.callback, "send", self._node, chosen, msg)

    def registerInputListener(self, onMessage: Callable[[Any, str], Any]) -> None:
        """Names the function that messages go to, where that is not the algorithm's onMessage."""
        self.on_message = onMessage

    def startMessageListening(self) -> None:
        """Lets messages come, before `start` has returned."""
        self._listening.set()

    def isListeningToMessages(self) -> bool:
        return self._listening.is_set() and not self._stopped.is_set()

    def stopMessageListening(self) -> None:
        self._stopped.set()

    def wait(self) -> None:
        """Until messages may come."""
        self._listening.wait()


class _Node:
    """A node, and what is called for its messages."""

    def __init__(self, group: Group, config: dict[str, Any]) -> None:
        self.number: int = config["number"]
        self.name: str = config["name"]
        self.stateful: bool = config["stateful"]
        self.input: list[Any] = config["input"]
        self.received = 0
        # By the flow's number.
        self.routes: list[Route | None] = []
        spec = config["spec"]
        self.algorithm: Any = None
        if self.stateful and spec["function"] == "start":
            self.algorithm = _whole(spec)
            self.start = getattr(self.algorithm, "start", None)
        else:
            self.start = load(spec)
            if isinstance(self.start, type):
                self.algorithm = self.start()
                self.start = getattr(self.algorithm, "start", None)
        # What a message to a node without state takes, at one grasp.
        self.plain = (self.start, self.number, self.name, self.input, self.routes)
        self.api = StatefulApi(group, self.number) if self.stateful else None
        if self.api is not None:
            self.api.on_message = getattr(self.algorithm, "onMessage", None)

    def run_start(self) -> None:
        if self.start is not None:
            self.start({"nodeName": self.name, "input": self.input}, self.api)


def _whole(spec: dict[str, Any]) -> Any:
    """The module that has the algorithm's functions."""
    start = load(spec)
    return sys.modules[start.__module__]


class Group:
    """A part of a graph, in one interpreter. Called with messages from outside."""

    def __init__(self, text: str) -> None:
        config = json.loads(text)
        self.names: list[str] = config["names"]
        self.flows: list[str] = config["flows"]
        self.default_flow: int = config["defaultFlow"]
        self.callback: str = config["callback"]
        self.nodes = {one["number"]: _Node(self, one) for one in config["nodes"]}
        for flow in config["routes"]:
            routes: dict[int, Route] = {}
            for number, numbers, beyond in flow:
                inside = tuple(self.nodes[one] for one in numbers)
                routes[number] = (inside[0] if len(inside) == 1 else None, inside, beyond)
            for node in self.nodes.values():
                node.routes.append(routes.get(node.number))
        for node in self.nodes.values():
            if node.stateful:
                self._begin(node)

    def __call__(self, batch: list[Sent]) -> list[list[Any]]:
        answers = [self._message(*message) for message in batch]
        counts = []
        for node in self.nodes.values():
            # What came from outside was counted there.
            if node.received:
                counts.append([node.number, node.received])
                node.received = 0
        if counts and answers:
            answers[0] += (COUNTS, 0, counts)
        return answers

    def flow_number(self, name: str) -> int:
        try:
            return self.flows.index(name)
        except ValueError:
            there = ", ".join(repr(one) for one in self.flows)
            raise FlowError(f"there is no flow {name!r}; there are {there}") from None

    def demand(self, node: int, flow: int) -> Route:
        route = self.nodes[node].routes[flow]
        if route is None:
            raise FlowError(
                f"node {self.names[node]!r} sends along flow {self.flows[flow]!r}, "
                "which it is not in"
            )
        return route

    def emit(self, node: int, flow: int, value: Any, queue: list[Message], sent: list[Any]) -> None:
        """Hands a message to the next nodes: those here get the very object."""
        _, inside, beyond = self.demand(node, flow)
        for target in inside:
            target.received += 1
            queue.append((target, self.names[node], flow, value))
        if beyond:
            sent += (node, flow, value)

    def _message(self, number: int, origin: int, flow: int, value: Any) -> list[Any]:
        sent: list[Any] = []
        if number == STOP:
            self._stop()
            return sent
        # The list grows while it is gone through: by what the nodes send each other.
        queue: list[Message] = [(self.nodes[number], self.names[origin], flow, value)]
        api = StatelessApi(self, queue, sent)
        for node, sender, flow, value in queue:
            api.flow = flow
            # From node to node, as long as there is nothing else to go through.
            while True:
                try:
                    if node.stateful:
                        self._deliver(node, sender, flow, value, queue, sent)
                        break
                    start, number, name, given, routes = node.plain
                    api.node = number
                    args = {
                        "nodeName": name,
                        "input": given,
                        "streamInput": {"message": value, "origin": sender},
                    }
                    result = start(args, api)
                    if result is None:
                        break
                    # As emit() does: for most messages a call of it would be all there is to do.
                    only, inside, beyond = routes[flow]
                    if beyond:
                        sent += (number, flow, result)
                    if only is not None and len(queue) == 1:
                        only.received += 1
                        node, sender, value = only, name, result
                        continue
                    for target in inside:
                        target.received += 1
                        queue.append((target, name, flow, result))
                    break
                except Exception as error:
                    sent += (FAILED, node.number, describe_error(error))
                    break
        return sent

    def _deliver(
        self,
        node: _Node,
        origin: str,
        flow: int,
        value: Any,
        queue: list[Message],
        sent: list[Any],
    ) -> None:
        api = node.api
        assert api is not None
        api.wait()
        if api.on_message is None:
            raise FlowError(f"node {node.name!r} has no onMessage for what comes to it")
        before = (_here.node, _here.flow, _here.send)
        _here.node, _here.flow = node.number, flow
        _here.send = lambda flow, msg: self.emit(node.number, flow, msg, queue, sent)
        try:
            api.on_message(value, origin)
        finally:
            _here.node, _here.flow, _here.send = before

    def _begin(self, node: _Node) -> None:
        """Runs `start` beside the messages: it may go on as long as the graph."""

        def run() -> None:
            try:
                node.run_start()
            except BaseException as error:
                host.submit(self.callback, "failed", node.number, 0, describe_error(error))
            else:
                assert node.api is not None
                node.api.startMessageListening()

        threading.Thread(target=run, name=f"rxjs-python {node.name}", daemon=True).start()

    def _stop(self) -> None:
        for node in self.nodes.values():
            if node.api is None:
                continue
            node.api.stopMessageListening()
            stop = getattr(node.algorithm, "stop", None)
            if stop is not None:
                stop()


class Source(Group):
    """A node that nothing comes to: `start` sends messages until it returns."""

    def __call__(self, batch: list[Any]) -> list[Any]:
        for _ in batch:
            for node in self.nodes.values():
                node.run_start()
        return [None] * len(batch)

    def _begin(self, node: _Node) -> None:
        pass
