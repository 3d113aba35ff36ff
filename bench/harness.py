"""What all measurements here have in common: building the load and the upstream, starting what is measured on a core
of its own, and reading what it cost. Everything stays on 127.0.0.1."""

import contextlib
import dataclasses
import http.client
import json
import os
import pathlib
import platform
import resource
import shutil
import signal
import socket
import subprocess
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent
TAGWAY = pathlib.Path(os.environ.get("TAGWAY", ROOT / ".build/release/tagway"))
# Bytes of the bodies of requests that vary.
VARIED_SIZES = range(120, 440, 20)
KEY = "sk-bench"
TICK = os.sysconf("SC_CLK_TCK")
GATEWAY_CORE, LOAD_CORE = {0}, {1 if (os.cpu_count() or 1) > 1 else 0}


# ---- processes ----


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def start(command, cores, log, env=None):
    def prepare():
        os.sched_setaffinity(0, cores)
        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 32768), hard))

    return subprocess.Popen([str(word) for word in command], stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
                            env={**os.environ, **(env or {})}, preexec_fn=prepare, start_new_session=True)


def stop(process):
    """Ends a process that start() made, with its group."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=5)
    process.wait()


def stat_fields(pid):
    try:
        text = pathlib.Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    return text[text.rindex(")") + 2:].split()


def tree(root):
    children = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit() and (fields := stat_fields(entry)):
            children.setdefault(int(fields[1]), []).append(int(entry))
    found, queue = [], [root]
    while queue:
        pid = queue.pop()
        found.append(pid)
        queue += children.get(pid, [])
    return found


def cpu_seconds(root):
    """User and system time of a process tree, with the children it has reaped."""
    return sum(sum(map(int, fields[11:15])) for pid in tree(root) if (fields := stat_fields(pid))) / TICK


def pss_mb(root):
    total = 0
    for pid in tree(root):
        with contextlib.suppress(OSError):
            for line in pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
                if line.startswith("Pss:"):
                    total += int(line.split()[1])
    return total / 1024


def machine_seconds():
    """CPU seconds of the whole machine since boot, and those that the host ran something else although there was work; steal
    in proc(5)."""
    user, nice, system, _, _, irq, softirq, steal = map(int, pathlib.Path("/proc/stat").read_text().splitlines()[0].split()[1:9])
    return (user + nice + system + irq + softirq) / TICK, steal / TICK


def wait_until(check, process=None, seconds=20):
    end = time.monotonic() + seconds
    while True:
        try:
            return check()
        except Exception:
            if (process and process.poll() is not None) or time.monotonic() > end:
                raise
        time.sleep(0.02)


def get(port, path):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", path)
        return connection.getresponse().read()
    finally:
        connection.close()


# ---- a bench: a folder, an upstream, and what is measured ----


@dataclasses.dataclass
class Gateway:
    name: str
    port: int
    process: subprocess.Popen
    idle_mb: float = 0


class Bench:
    """Use as a context manager: whatever it has started ends with it."""

    def __init__(self, upstreams=2):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="tagway-bench-"))
        self.processes = []
        self.upstream_ports = [free_port() for _ in range(upstreams)]

    def __enter__(self):
        for name in ("upstream", "load", "distance"):
            subprocess.run(["cc", "-O2", "-Wall", "-Wextra", "-pthread", "-o", self.folder / name, HERE / f"{name}.c"], check=True)
        command = [self.folder / "upstream"]
        for index, port in enumerate(self.upstream_ports):
            command += ["--port", f"{port}:upstream-{index}"]
        self.upstream = self.start("upstream", command, LOAD_CORE)
        wait_until(lambda: get(self.upstream_ports[0], "/config"), self.upstream)
        return self

    def __exit__(self, *_):
        for process in reversed(self.processes):
            stop(process)
        shutil.rmtree(self.folder, ignore_errors=True)

    def start(self, name, command, cores, env=None):
        process = start(command, cores, open(self.folder / f"{name}.log", "ab"), env)
        self.processes.append(process)
        return process

    def body(self, size, index=0, stream=False, model="gpt-4"):
        """A file with a request body of `size` bytes, if it can be that small, with tag number `index`."""
        def make(text):
            fields = {"model": model, "messages": [{"role": "user", "content": text}]}
            if stream:
                fields["stream"] = True
            return json.dumps({**fields, "tags": [f"tag-{index}"]})

        words = "Good morning, what is new? "
        missing = max(0, size - len(make("")))
        file = self.folder / f"body-{size}-{index}-{stream}-{model}.json"
        if not file.exists():
            file.write_text(make((words * (missing // len(words) + 1))[:missing]))
        return file

    def config(self, deployments=2, extra="", scheme="http", ports=None, verify=None):
        """A configuration whose deployments have the tags tag-0, tag-1 ..., spread over the upstreams."""
        ports = ports or self.upstream_ports
        lines = ["model_list:"]
        for i in range(deployments):
            # Beyond two deployments, which is what most scenarios have, models have ten each.
            model = "gpt-4" if i < 2 else f"model-{i // 10}"
            lines += [f"  - model_name: {model}", "    litellm_params:", f"      model: openai/upstream-{i % len(ports)}",
                      "      api_key: key", f"      api_base: {scheme}://localhost:{ports[i % len(ports)]}/v1"
                      if scheme == "https" else f"      api_base: http://127.0.0.1:{ports[i % len(ports)]}/v1",
                      f"      tags: [tag-{i}]"]
        lines += ["router_settings:", "  enable_tag_filtering: true", "general_settings:", f"  master_key: {KEY}"]
        if verify:
            lines += ["litellm_settings:", f"  ssl_verify: {verify}"]
        file = self.folder / f"config-{len(list(self.folder.glob('config-*')))}.yaml"
        file.write_text("\n".join(lines) + "\n" + extra)
        return file

    def tagway(self, config, workers=1, cores=GATEWAY_CORE, env=None):
        port = free_port()
        process = self.start("tagway", [TAGWAY, "serve", "--config", config, "--port", port, "--workers", workers],
                             cores, env)
        gateway = Gateway("tagway", port, process)
        wait_until(lambda: get(port, "/health/liveliness"), process)
        gateway.idle_mb = pss_mb(process.pid)
        return gateway

    def nginx(self, scheme="http", port=None, workers=1):
        """A plain keep-alive reverse proxy: no key, no JSON, no routing."""
        own, port = free_port(), port or self.upstream_ports[0]
        folder = self.folder / f"nginx-{own}"
        folder.mkdir()
        temporary = "".join(f"{kind}_temp_path {folder}/{kind};" for kind in
                            ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        tls = "proxy_ssl_session_reuse on; proxy_ssl_protocols TLSv1.3;" if scheme == "https" else ""
        (folder / "nginx.conf").write_text(f"""daemon off; worker_processes {workers}; worker_rlimit_nofile 32768;
pid {folder}/pid; error_log {folder}/error.log warn;
events {{ worker_connections 16384; multi_accept on; accept_mutex off; }}
http {{
    access_log off; keepalive_requests 100000000; keepalive_timeout 600; {temporary}
    client_max_body_size 64m; client_body_buffer_size 16m;
    upstream free {{ server 127.0.0.1:{port}; keepalive 8192; keepalive_requests 100000000; }}
    server {{
        listen 127.0.0.1:{own} backlog=4096;
        location / {{
            proxy_pass {scheme}://free; proxy_http_version 1.1; proxy_set_header Connection "";
            proxy_buffering off; {tls}
        }}
    }}
}}
""")
        process = self.start("nginx", ["nginx", "-p", folder, "-c", folder / "nginx.conf"], GATEWAY_CORE)
        wait_until(lambda: get(own, "/"), process)
        return Gateway("nginx", own, process, pss_mb(process.pid))

    def tls_upstream(self):
        """nginx with a certificate of its own that answers every request with a chat completion; its port and the
        certificate that vouches for it."""
        port, folder = free_port(), self.folder / "tls"
        folder.mkdir()
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", folder / "key.pem",
                        "-out", folder / "cert.pem", "-days", "2", "-subj", "/CN=localhost", "-addext",
                        "subjectAltName=DNS:localhost,IP:127.0.0.1"], check=True, capture_output=True)
        connection = http.client.HTTPConnection("127.0.0.1", self.upstream_ports[0], timeout=5)
        connection.request("POST", "/", "{}")
        answer = connection.getresponse().read().decode().replace('"', '\\"')
        (folder / "nginx.conf").write_text(f"""daemon off; worker_processes 1; worker_rlimit_nofile 32768;
pid {folder}/pid; error_log {folder}/error.log warn;
events {{ worker_connections 16384; }}
http {{
    access_log off; keepalive_requests 100000000; keepalive_timeout 600;
    server {{
        listen 127.0.0.1:{port} ssl backlog=4096; ssl_certificate {folder}/cert.pem; ssl_certificate_key {folder}/key.pem;
        ssl_protocols TLSv1.3; default_type application/json;
        location / {{ return 200 "{answer}"; }}
    }}
}}
""")
        process = self.start("tls-upstream", ["nginx", "-p", folder, "-c", folder / "nginx.conf"], LOAD_CORE)
        wait_until(lambda: socket.create_connection(("127.0.0.1", port), 1).close(), process)
        return port, folder / "cert.pem"

    def load(self, kind, port, bodies, **options):
        """Runs the load; what it tells."""
        command = [self.folder / "load", kind, "--port", port]
        for name, value in options.items():
            command += [f"--{name}", value]
        for body in bodies:
            command += ["--body", body]
        out = subprocess.run(["taskset", "-c", ",".join(map(str, LOAD_CORE)), *map(str, command)], capture_output=True,
                             text=True, timeout=float(options.get("seconds", 300)) + 60)
        if out.returncode:
            raise RuntimeError(f"load: {out.stderr or out.stdout}")
        return json.loads(out.stdout)

    def set_answers(self, chunks=32, pace_ms=0, vary=False):
        get(self.upstream_ports[0], f"/config?chunks={chunks}&pace_ms={pace_ms}&vary={int(vary)}")

    def distance(self):
        """Nanoseconds that a cache line takes from the gateway's processor to the load's and back; 0 where it is one."""
        if GATEWAY_CORE == LOAD_CORE:
            return 0
        cores = [str(core) for core in (*GATEWAY_CORE, *LOAD_CORE)]
        return int(subprocess.run([self.folder / "distance", *cores], capture_output=True, check=True, timeout=30).stdout)

    def measure(self, gateway, kind, bodies, **options):
        """Runs the load against a gateway; what it tells, with the gateway's CPU time and memory."""
        before, begun, all_before = cpu_seconds(gateway.process.pid), time.monotonic(), machine_seconds()
        upstream = cpu_seconds(self.upstream.pid)
        children = resource.getrusage(resource.RUSAGE_CHILDREN)
        peak = [0.0]
        import threading
        done = threading.Event()

        def watch():
            while not done.wait(0.7):
                peak[0] = max(peak[0], pss_mb(gateway.process.pid))

        watcher = threading.Thread(target=watch, daemon=True)
        watcher.start()
        result = self.load(kind, gateway.port, bodies, **options)
        cpu = cpu_seconds(gateway.process.pid) - before
        wall = time.monotonic() - begun
        busy, stolen = (now - then for now, then in zip(machine_seconds(), all_before))
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        own = after.ru_utime + after.ru_stime - children.ru_utime - children.ru_stime
        upstream = cpu_seconds(self.upstream.pid) - upstream
        done.set()
        watcher.join()
        count = result["events"] if kind == "streams" else result["completed"]
        return {**result, "cpu_us": cpu * 1e6 / max(1, count), "per_second": count / result["seconds"],
                "core": cpu / wall, "peak_mb": max(peak[0], pss_mb(gateway.process.pid)),
                "stolen": stolen / wall, "foreign": max(0.0, (busy - cpu - own - upstream) / wall)}


def machine():
    """What the figures were measured on, in a line."""
    model = next((line.split(":", 1)[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")), "?")
    return f"{os.cpu_count()} × {model}, Linux {platform.release().split('-')[0]}"


def has(*programs):
    missing = [p for p in programs if not shutil.which(p)]
    if missing:
        raise SystemExit(f"needed here and not installed: {', '.join(missing)}")
    if not TAGWAY.exists():
        raise SystemExit(f"{TAGWAY} is missing: build it with `make build`, or set TAGWAY")
