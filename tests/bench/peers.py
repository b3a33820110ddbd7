"""The peers: how each is installed into the scratch folder, configured and started."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.bench.bodies import MODEL
from tests.bench.client import Target
from tests.bench.gateways import Gateway, Rig, Started, clean_env
from tests.bench.processes import Running, Unavailable, free_port, run

LITELLM_KEY = "sk-bench-0f3a9c1e7d5b2468"
"""Its proxy does not start without a key of some strength."""

NGINX_CONFIG = """
daemon off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log stderr;
events {{ worker_connections 2048; }}
http {{
  access_log off;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  client_max_body_size 64m;
  keepalive_requests 100000000;
  upstream provider {{ server 127.0.0.1:{upstream}; keepalive 256; keepalive_requests 100000000; }}
  server {{
    listen 127.0.0.1:{port} backlog=512;
    location / {{
      proxy_pass http://provider;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_request_buffering off;
    }}
  }}
}}
"""


def _program(name: str, hint: str) -> str:
    path = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/usr/local/sbin"])
    found = shutil.which(name, path=path)
    if not found:
        raise Unavailable(f"`{name}` is not installed ({hint})")
    return found


def _start(rig: Rig, name: str, command: Sequence[str], **env: str) -> Running:
    folder = rig.folder(name)
    return Running(command, core=rig.cores.gateway, log=folder / "log.txt", env=clean_env(**env), folder=folder)


def _venv(rig: Rig, name: str, requirement: str, program: str) -> Path:
    """A virtual environment of its own for one peer; made once."""
    folder = rig.install_folder(name)
    if not (folder / "bin" / program).exists():
        run([sys.executable, "-m", "venv", str(folder)], env=clean_env(), folder=folder)
        run(
            [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", requirement],
            env=clean_env(),
            folder=folder,
        )
    return folder / "bin"


def _version(folder: Path, distribution: str) -> str:
    ask = f"from importlib.metadata import version; print(version({distribution!r}))"
    return run([str(folder / "python"), "-c", ask], env=clean_env(), folder=folder)


def prepare_portkey(rig: Rig) -> str:
    folder = rig.install_folder("portkey")
    package = folder / "node_modules" / "@portkey-ai" / "gateway" / "package.json"
    node = _program("node", "apt-get install nodejs npm")
    if not package.exists():
        npm = _program("npm", "apt-get install npm")
        command = [npm, "install", "--no-fund", "--no-audit", "--prefix", str(folder), "@portkey-ai/gateway"]
        run(command, env=clean_env(), folder=folder)
    return (
        f"{json.loads(package.read_text())['version']}, Node {run([node, '--version'], env=clean_env(), folder=folder)}"
    )


def start_portkey(rig: Rig) -> Started:
    port = free_port()
    script = rig.install_folder("portkey") / "node_modules" / "@portkey-ai" / "gateway" / "build" / "start-server.js"
    command = [_program("node", "apt-get install nodejs"), str(script), f"--port={port}", "--headless"]
    headers = {
        "authorization": "Bearer sk-bench",
        "x-portkey-provider": "openai",
        "x-portkey-custom-host": f"http://127.0.0.1:{rig.upstream}/v1",
    }
    return Started(Target(port, headers), _start(rig, "portkey", command, NODE_ENV="production"))


def prepare_litellm(rig: Rig) -> str:
    return _version(_venv(rig, "litellm", "litellm[proxy]", "litellm"), "litellm")


def start_litellm(rig: Rig) -> Started:
    port = free_port()
    parameters = {
        "model": f"openai/{MODEL}",
        "api_base": f"http://127.0.0.1:{rig.upstream}/v1",
        "api_key": "sk-bench",
    }
    config = {
        "model_list": [{"model_name": MODEL, "litellm_params": parameters}],
        "litellm_settings": {"telemetry": False, "num_retries": 0},
        "general_settings": {"master_key": LITELLM_KEY},
    }
    file = rig.folder("litellm") / "config.yaml"
    file.write_text(json.dumps(config))
    program = rig.install_folder("litellm") / "bin" / "litellm"
    command = [
        str(program),
        "--config",
        str(file),
        "--host",
        "127.0.0.1",
        "--port",
        str(port),
        "--num_workers",
        "1",
    ]
    env = {"LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_LOG": "ERROR", "LITELLM_MODE": "PRODUCTION"}
    return Started(Target(port, {"authorization": f"Bearer {LITELLM_KEY}"}), _start(rig, "litellm", command, **env))


def prepare_mitmdump(rig: Rig) -> str:
    return _version(_venv(rig, "mitmproxy", "mitmproxy", "mitmdump"), "mitmproxy")


def start_mitmdump(rig: Rig) -> Started:
    port = free_port()
    flows = rig.folder("mitmdump") / "flows"
    program = rig.install_folder("mitmproxy") / "bin" / "mitmdump"
    command = [
        str(program),
        "--quiet",
        "--mode",
        f"reverse:http://127.0.0.1:{rig.upstream}",
        "-w",
        str(flows),
    ]
    command += [
        "--listen-host",
        "127.0.0.1",
        "--listen-port",
        str(port),
        "--set",
        f"confdir={rig.folder('mitmdump')}",
    ]

    def drop_flows() -> None:
        with contextlib.suppress(FileNotFoundError):
            os.truncate(flows, 0)

    running = _start(rig, "mitmdump", command)
    return Started(Target(port, {"authorization": "Bearer sk-bench"}), running, between=drop_flows)


def prepare_nginx(rig: Rig) -> str:
    program = _program("nginx", "apt-get install nginx-light")
    return run(["sh", "-c", '"$0" -v 2>&1', program], env=clean_env(), folder=rig.folder("nginx")).rpartition("/")[2]


def start_nginx(rig: Rig) -> Started:
    port = free_port()
    folder = rig.folder("nginx")
    config = folder / "nginx.conf"
    text = NGINX_CONFIG.format(folder=folder, port=port, upstream=rig.upstream)
    if os.geteuid() == 0:
        text = "user root;\n" + text
    config.write_text(text)
    command = [_program("nginx", "apt-get install nginx-light"), "-c", str(config), "-p", str(folder)]
    return Started(Target(port, {"authorization": "Bearer sk-bench"}), _start(rig, "nginx", command))


PEERS = [
    Gateway("portkey", prepare_portkey, start_portkey),
    Gateway("litellm", prepare_litellm, start_litellm),
    Gateway("mitmdump", prepare_mitmdump, start_mitmdump),
    Gateway("nginx", prepare_nginx, start_nginx),
]
