"""A stateful node: one way for tweets of known writers, another for those of the others."""

known = set()
seen = {}
api = None


def start(args, hkubeapi):
    global api
    api = hkubeapi
    known.update(args["input"][0])


def onMessage(msg, origin):
    writer = msg["writer"]
    seen[writer] = seen.get(writer, 0) + 1
    message = {**msg, "nth": seen[writer]}
    if writer in known:
        api.sendMessage(message)
    else:
        api.sendMessage(message, "analyze")
