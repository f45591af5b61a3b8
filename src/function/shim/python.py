"""Runs a handler ("index.handler") for weir.

Loads its module, and feeds it the events that weir hands out through the Lambda Runtime API. Read
by Python from standard input. It speaks HTTP itself: one connection, on which each answer asks for
the next event as well (Weir-Next), so that there is one request for each event.
"""

import importlib
import importlib.abc
import importlib.util
import json
import logging
import os
import socket
import sys
import time
import traceback
import types

API = "/2018-06-01/runtime"


class Runtime:
    """weir, as this process sees it."""

    def __init__(self):
        self.address = os.environ["AWS_LAMBDA_RUNTIME_API"]
        host, port = self.address.rsplit(":", 1)
        self.socket = socket.create_connection((host, int(port)))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.input = self.socket.makefile("rb")

    def request(self, method, path, body=b"", headers=""):
        head = f"{method} {API}{path} HTTP/1.1\r\nHost: {self.address}\r\n{headers}"
        if method == "POST":
            head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
        return head.encode() + b"\r\n" + body

    def receive(self):
        """The next answer: its status, headers and body."""
        first = self.input.readline()
        if not first:
            sys.exit(1)  # weir has ended
        headers = {}
        for line in iter(self.input.readline, b"\r\n"):
            name, _, value = line.decode("latin-1").partition(":")
            headers[name.lower()] = value.strip()
        return int(first[9:12]), headers, self.input.read(int(headers.get("content-length", 0)))

    def give_up(self, error):
        print(f"{error['errorType']}: {error['errorMessage']}", file=sys.stderr)
        self.socket.sendall(self.request("POST", "/init/error", json.dumps(error).encode()))
        self.receive()
        sys.exit(1)

    def events(self):
        """Yield (headers, body) of each event; what is sent back is (kind, body) of its answer."""
        self.socket.sendall(self.request("GET", "/invocation/next"))
        while True:
            status, headers, body = self.receive()
            if status != 200:
                sys.exit(f"weir refused to give an event: {status} {body!r}")
            kind, answer = yield headers, body
            path = f"/invocation/{headers['lambda-runtime-aws-request-id']}/{kind}"
            self.socket.sendall(self.request("POST", path, answer, "Weir-Next: event\r\n"))


class Context:
    """What a handler gets besides its event."""

    def __init__(self, headers):
        self.aws_request_id = headers["lambda-runtime-aws-request-id"]
        self.invoked_function_arn = headers["lambda-runtime-invoked-function-arn"]
        self.function_name = os.environ["AWS_LAMBDA_FUNCTION_NAME"]
        self.function_version = os.environ["AWS_LAMBDA_FUNCTION_VERSION"]
        self.memory_limit_in_mb = os.environ["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"]
        self.log_group_name = os.environ["AWS_LAMBDA_LOG_GROUP_NAME"]
        self.log_stream_name = os.environ["AWS_LAMBDA_LOG_STREAM_NAME"]
        self.identity = members_of({}, ["cognito_identity_id", "cognito_identity_pool_id"])
        self.client_context = read_client_context(headers.get("lambda-runtime-client-context"))
        self._deadline_ms = int(headers["lambda-runtime-deadline-ms"])

    def get_remaining_time_in_millis(self):
        return max(self._deadline_ms - int(time.time() * 1000), 0)

    def log(self, text):
        sys.stdout.write(str(text))


def members_of(given, names):
    """Lambda's objects have all their attributes, None for what nobody gave."""
    return types.SimpleNamespace(**{name: given.get(name) for name in names})


def read_client_context(text):
    given = json.loads(text) if text else None
    if not isinstance(given, dict):
        return None
    context = members_of(given, ["custom", "env", "client"])
    if isinstance(context.client, dict):
        context.client = members_of(
            context.client,
            ["installation_id", "app_title", "app_version_name", "app_version_code", "app_package_name"],
        )
    return context


def error_object(error, request_id=None, kind=None):
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if frame.filename not in ("<stdin>", "<frozen importlib._bootstrap>")]
    made = {
        "errorMessage": str(error),
        "errorType": kind or type(error).__name__,
        "requestId": request_id,
        "stackTrace": traceback.format_list(own),
    }
    if request_id is None:
        del made["requestId"]
    return made


def load_handler(runtime):
    """The function that _HANDLER names: of "dir/module.function" or "dir.module.function"."""
    name = os.environ["_HANDLER"]
    module_name, dot, function_name = name.rpartition(".")
    if not dot or not module_name:
        runtime.give_up({
            "errorType": "Runtime.MalformedHandlerName",
            "errorMessage": f"Bad handler '{name}': MODULE.FUNCTION is expected, as in index.handler",
        })
    try:
        module = importlib.import_module(module_name.replace("/", "."))
    except ImportError as error:
        told = error_object(error, kind="Runtime.ImportModuleError")
        told["errorMessage"] = f"Unable to import module '{module_name}': {error}"
        runtime.give_up(told)
    except SyntaxError as error:
        told = error_object(error, kind="Runtime.UserCodeSyntaxError")
        told["errorMessage"] = f"Syntax error in module '{module_name}': {error}"
        runtime.give_up(told)
    except Exception as error:  # whatever the module does when it is loaded
        runtime.give_up(error_object(error))
    handler = getattr(module, function_name, None)
    if not callable(handler):
        runtime.give_up({
            "errorType": "Runtime.HandlerNotFound",
            "errorMessage": f"Handler '{function_name}' missing on module '{module_name}'",
        })
    return handler


class EndpointHook(importlib.abc.MetaPathFinder):
    """Makes versions of botocore that do not look at AWS_ENDPOINT_URL (before 1.31) use it."""

    def find_spec(self, name, path, target=None):
        if name != "botocore.session":
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        if spec is not None:
            load = spec.loader.exec_module

            def load_and_change(module):
                load(module)
                use_endpoints(module.Session)

            spec.loader.exec_module = load_and_change
        return spec


def use_endpoints(session_class):
    create_client = session_class.create_client

    def create(self, service_name, *rest, **named):
        given = len(rest) >= 5 or named.get("endpoint_url") is not None
        own = "AWS_ENDPOINT_URL_" + service_name.upper().replace("-", "_")
        endpoint = os.environ.get(own) or os.environ.get(OWN_NAMES.get(service_name, "")) \
            or os.environ.get("AWS_ENDPOINT_URL")
        if not given and endpoint:
            named["endpoint_url"] = endpoint
        return create_client(self, service_name, *rest, **named)

    session_class.create_client = create


# Where a service's name in botocore is not its name in AWS_ENDPOINT_URL_<SERVICE>.
OWN_NAMES = {
    "dynamodbstreams": "AWS_ENDPOINT_URL_DYNAMODB_STREAMS",
    "events": "AWS_ENDPOINT_URL_EVENTBRIDGE",
}


def answer(handler, headers, body):
    """Run the handler on one event: the kind of its answer, and the answer."""
    request_id = headers["lambda-runtime-aws-request-id"]
    os.environ["_X_AMZN_TRACE_ID"] = headers.get("lambda-runtime-trace-id", "")
    try:
        event = json.loads(body)
    except ValueError as error:
        return "error", json.dumps(error_object(error, request_id, "Runtime.UnmarshalError")).encode()
    try:
        result = handler(event, Context(headers))
    except Exception as error:
        traceback.print_exception(type(error), error, error.__traceback__)
        return "error", json.dumps(error_object(error, request_id)).encode()
    try:
        return "response", json.dumps(result, ensure_ascii=False).encode()
    except (TypeError, ValueError) as error:
        return "error", json.dumps(error_object(error, request_id, "Runtime.MarshalError")).encode()


def main():
    root = os.environ["LAMBDA_TASK_ROOT"]
    sys.path[0] = root  # was the working folder, as ''
    sys.argv = [os.environ["_HANDLER"]]
    os.environ.setdefault("AWS_EXECUTION_ENV", "AWS_Lambda_python%d.%d" % sys.version_info[:2])
    sys.meta_path.insert(0, EndpointHook())
    sys.stdout.reconfigure(line_buffering=True)
    logging.basicConfig(stream=sys.stdout, format="[%(levelname)s] %(message)s")
    runtime = Runtime()
    handler = load_handler(runtime)
    events = runtime.events()
    event = next(events)
    while True:
        event = events.send(answer(handler, *event))


main()
