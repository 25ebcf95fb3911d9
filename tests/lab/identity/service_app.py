"""The smallest real service: keystonemiddleware's auth_token in front of a page that says who asks.

Runs inside a site under the OpenStack environment's Python: ``service_app.py CONFIG ADDRESS PORT``.
"""

from __future__ import annotations

import json
import socketserver
import sys
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from keystonemiddleware import auth_token
from oslo_config import cfg


class Server(socketserver.ThreadingMixIn, WSGIServer):
    daemon_threads = True
    request_queue_size = 50


class Quiet(WSGIRequestHandler):
    def log_message(self, *arguments):
        pass


def page(environ, start_response):
    start_response("200 OK", [("Content-Type", "application/json")])
    keys = ("HTTP_X_USER_NAME", "HTTP_X_PROJECT_NAME", "HTTP_X_ROLES")
    return [json.dumps({key: environ.get(key) for key in keys}).encode()]


def main():
    conf = cfg.ConfigOpts()
    conf(args=[], project="service", default_config_files=[sys.argv[1]])
    application = auth_token.AuthProtocol(page, {"oslo_config_config": conf})
    server = make_server(sys.argv[2], int(sys.argv[3]), application, Server, Quiet)
    print("serving", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
