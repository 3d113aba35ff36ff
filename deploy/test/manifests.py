#!/usr/bin/env python3
"""manifests.py TAGWAY: what deploy/kubernetes and deploy/helm make of themselves, against Kubernetes' schemas and each other.

kustomize (of kubectl) builds the plain manifests, Helm's own library lints and renders the chart. Every document has to be
one that Kubernetes takes, with no field it does not know; names, labels and ports have to lead somewhere; the chart has to
come to the same as the manifests; and the grace period to be what `tagway check --container` says of the configuration
within. No cluster is asked. Exits 1 when anything is wrong.
"""

import base64
import copy
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

import helm_python as helm
import jsonschema
import kubernetes_validate
import kubernetes_validate.utils
import yaml

HERE = pathlib.Path(__file__).resolve().parents[1]
CHART = HERE / "helm" / "tagway"
SECRET = {"TAGWAY_MASTER_KEY": "sk-0123456789abcdef-test", "OPENAI_API_KEY": "sk-for-this-test"}
# From the oldest that the chart admits to the newest that there is a schema of.
OLDEST = re.search(r"kubeVersion: \">=([0-9.]+)", (CHART / "Chart.yaml").read_text())[1]


def number(version):
    return tuple(int(part) for part in version.split("."))


VERSIONS = [v for v in sorted(set(kubernetes_validate.utils.all_versions()), key=number) if number(v) >= number(OLDEST)]
tagway = sys.argv[1]
failures = 0


def check(what, problems=()):
    global failures
    problems = list(problems)
    failures += bool(problems)
    print("FAIL " if problems else "pass ", what)
    for problem in problems:
        print(f"      {problem}")


# Where the documents come from ----------------------------------------------------------------------------------------


def kustomize(*components):
    with tempfile.TemporaryDirectory() as folder:
        shutil.copytree(HERE / "kubernetes", folder, dirs_exist_ok=True)
        (pathlib.Path(folder) / "secret.env").write_text("".join(f"{name}={value}\n" for name, value in SECRET.items()))
        if components:
            with open(pathlib.Path(folder) / "kustomization.yaml", "a") as file:
                file.write(f"components: [{', '.join(components)}]\n")
        kubectl = pathlib.Path(sys.executable).with_name("kubectl")
        built = subprocess.run(
            [kubectl, "kustomize", folder], capture_output=True, text=True, timeout=60, check=True)
    return list(yaml.safe_load_all(built.stdout))


def render(values, name="tagway"):
    with helm.Chart.load(CHART) as chart:
        files = chart.render(values, name=name, namespace="default")
    files = {path: text for path, text in files.items() if not path.endswith(".txt")}
    return [document for text in files.values() for document in yaml.safe_load_all(text) if document]


# What is asked of them ------------------------------------------------------------------------------------------------


def unknown_to_kubernetes(documents):
    for document in documents:
        if document["kind"] == "ServiceMonitor":
            continue
        for version in VERSIONS:
            try:
                kubernetes_validate.validate(document, version, strict=True)
            except jsonschema.ValidationError as error:
                yield f"{document['kind']}, {version}: {'.'.join(map(str, error.path))}: {error.message}"


def leading_nowhere(documents):
    """References that no other document answers."""
    of = {document["kind"]: document for document in documents}
    pod = of["Deployment"]["spec"]["template"]
    container = pod["spec"]["containers"][0]
    labels = pod["metadata"]["labels"].items()
    ports = {port["name"] for port in container["ports"]}
    service = of["Service"]
    for kind, selector in (
        ("Deployment", of["Deployment"]["spec"]["selector"]["matchLabels"]),
        ("Service", service["spec"]["selector"]),
        ("PodDisruptionBudget", of["PodDisruptionBudget"]["spec"]["selector"]["matchLabels"]),
    ):
        if not selector or not selector.items() <= labels:
            yield f"{kind} selects {selector}, the pods are {dict(labels)}"
    for port in [port["targetPort"] for port in service["spec"]["ports"]] + [
        container[probe]["httpGet"]["port"] for probe in ("startupProbe", "readinessProbe", "livenessProbe")
    ]:
        if port not in ports:
            yield f"port {port} is none of {ports}"
    if "HorizontalPodAutoscaler" in of:
        target = of["HorizontalPodAutoscaler"]["spec"]["scaleTargetRef"]
        if (target["kind"], target["name"]) != ("Deployment", of["Deployment"]["metadata"]["name"]):
            yield f"the autoscaler scales {target}"
    names = {(kind, document["metadata"]["name"]) for kind, document in of.items()}
    wanted = [("Secret", source["secretRef"]["name"]) for source in container["envFrom"]]
    wanted += [("ConfigMap", v["configMap"]["name"]) for v in pod["spec"]["volumes"] if "configMap" in v]
    if "ServiceMonitor" in of:
        monitor = of["ServiceMonitor"]["spec"]
        if not monitor["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items():
            yield f"ServiceMonitor selects {monitor['selector']}, the service is {service['metadata']['labels']}"
        for endpoint in monitor["endpoints"]:
            if endpoint["port"] not in {port["name"] for port in service["spec"]["ports"]}:
                yield f"ServiceMonitor asks port {endpoint['port']}"
            if "authorization" in endpoint:
                credentials = endpoint["authorization"]["credentials"]
                wanted.append(("Secret", credentials["name"]))
                if "Secret" in of and credentials["key"] not in of["Secret"]["data"]:
                    yield f"ServiceMonitor shows {credentials['key']}, which the Secret lacks"
    for kind, name in wanted:
        if (kind, name) not in names:
            yield f"there is no {kind} {name}"
    volumes = {volume["name"] for volume in pod["spec"]["volumes"]}
    for mount in container["volumeMounts"]:
        if mount["name"] not in volumes:
            yield f"there is no volume {mount['name']}"


def disagreeing_about_grace(documents):
    of = {document["kind"]: document for document in documents}
    pod = of["Deployment"]["spec"]["template"]["spec"]
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
        file.write(of["ConfigMap"]["data"]["config.yaml"])
        file.flush()
        secret = {name: base64.b64decode(value).decode() for name, value in of["Secret"]["data"].items()}
        said = subprocess.run(
            [tagway, "check", "--strict-config", "--container", file.name], capture_output=True, text=True, timeout=10,
            env=secret)
    if said.returncode != 0:
        yield f"the configuration cannot be served: {said.stdout}{said.stderr}"
    grace = f"terminationGracePeriodSeconds: {pod['terminationGracePeriodSeconds']}"
    if grace not in said.stdout.splitlines():
        yield f"{grace}; `check --container` says {said.stdout!r}"
    if "lame_duck" in said.stdout:
        yield "no lame duck: connections that come while the endpoints change are refused"


def comparable(documents):
    """Without what a release has of its own: labels but for the name, annotations, the hash in the Secret's name."""
    name = "app.kubernetes.io/name"

    def strip(value):
        if isinstance(value, list):
            return [strip(item) for item in value]
        if not isinstance(value, dict):
            return re.sub(r"^tagway-[a-z0-9]{10}$", "tagway", value) if isinstance(value, str) else value
        out = {key: strip(item) for key, item in value.items() if key not in ("annotations", "creationTimestamp")}
        for key in ("labels", "matchLabels", "selector"):
            if name in out.get(key, {}):
                out[key] = {name: out[key][name]}
        return out

    of = {document["kind"]: strip(copy.deepcopy(document)) for document in documents}
    of["ConfigMap"]["data"] = {key: yaml.safe_load(text) for key, text in of["ConfigMap"]["data"].items()}
    container = of["Deployment"]["spec"]["template"]["spec"]["containers"][0]
    container.pop("image")
    container.pop("imagePullPolicy", None)
    of["Service"]["spec"].setdefault("type", "ClusterIP")
    for document in of.values():
        document["metadata"].pop("labels", None)
    return of


def differing(left, right, path=""):
    if isinstance(left, dict) and isinstance(right, dict):
        for key in sorted(left.keys() | right.keys()):
            yield from differing(left.get(key), right.get(key), f"{path}.{key}" if path else key)
    elif isinstance(left, list) and isinstance(right, list) and len(left) == len(right):
        for index, pair in enumerate(zip(left, right)):
            yield from differing(*pair, f"{path}[{index}]")
    elif left != right:
        yield f"{path}: {left!r} in the manifests, {right!r} in the chart"


def judge(what, documents):
    kinds = " ".join(document["kind"] for document in documents)
    check(f"{what}: {kinds}: known to Kubernetes {VERSIONS[0]} to {VERSIONS[-1]}", unknown_to_kubernetes(documents))
    check(f"{what}: every reference leads somewhere", leading_nowhere(documents))
    check(f"{what}: grace as `tagway check --container` says", disagreeing_about_grace(documents))


print("== deploy/kubernetes")
plain = kustomize()
judge("manifests", plain)
watched = kustomize("service-monitor")
judge("with service-monitor", watched)
misspelt = copy.deepcopy(plain)
deployment = next(document for document in misspelt if document["kind"] == "Deployment")
deployment["spec"]["template"]["spec"]["containers"][0]["readinesProbe"] = {}
check("a misspelt field would be found", [] if list(unknown_to_kubernetes(misspelt)) else ["it was not"])

print("== deploy/helm")
report = helm.lint(CHART, {"secret": SECRET}, strict=True)
check(f"helm lint --strict, Helm {helm.helm_sdk_version()}", report["errors"])
version = subprocess.run([tagway, "version"], capture_output=True, text=True, timeout=10, check=True).stdout.split()[1]
with helm.Chart.load(CHART) as chart:
    said = str(chart.metadata["appVersion"])
check(f"its appVersion is the build's: {said}", [] if said == version else [f"the build is {version}"])
given = {"secret": SECRET, "serviceMonitor": {"enabled": True}}
same = render(given)
judge("release `tagway`", same)
judge("release `demo`, other times", render(
    {
        "secret": SECRET, "config": {"tagway": {"lame_duck": 2.5, "drain_timeout": 12.5, "body_bytes": 33554432}},
        "autoscaling": {"enabled": False}, "replicas": 3, "image": {"tag": "1.2"},
        "podAnnotations": {"a": "b"}, "podLabels": {"c": "d"}, "nodeSelector": {"e": "f"},
        "tolerations": [{"key": "g", "operator": "Exists"}], "imagePullSecrets": [{"name": "h"}],
        "serviceMonitor": {"enabled": True, "labels": {"release": "prometheus"}, "interval": "1m"},
        "service": {"type": "LoadBalancer", "port": 8080, "annotations": {"i": "j"}},
    }, name="demo"))
check("it comes to the same as the manifests", differing(comparable(watched), comparable(same)))
open_metrics = render({"secret": SECRET, "serviceMonitor": {"enabled": True},
                       "config": {"litellm_settings": {"require_auth_for_metrics_endpoint": False}}})
check("no key is shown where /metrics wants none", [
    str(endpoint) for document in open_metrics if document["kind"] == "ServiceMonitor"
    for endpoint in document["spec"]["endpoints"] if "authorization" in endpoint])
own = render({"existingSecret": "mine", "existingConfigMap": "ours", "terminationGracePeriodSeconds": 99})
pod = next(document for document in own if document["kind"] == "Deployment")["spec"]["template"]["spec"]
check("a Secret and a ConfigMap of one's own are used", [] if (
    pod["containers"][0]["envFrom"], pod["volumes"][0]["configMap"], pod["terminationGracePeriodSeconds"],
    {"Secret", "ConfigMap"} & {document["kind"] for document in own},
) == ([{"secretRef": {"name": "mine"}}], {"name": "ours"}, 99, set()) else [pod])


def is_refused(values):
    try:
        render(values)
    except helm.HelmError:
        return True
    return False


for what, values in {
    "no keys at all": {},
    "an empty key": {"secret": {"TAGWAY_MASTER_KEY": ""}},
    "a key that is no name": {"secret": {"TAGWAY-MASTER": "x"}},
    "a value that does not exist": {"secret": SECRET, "autoscaler": {"enabled": True}},
    "no models": {"secret": SECRET, "config": {"model_list": []}},
    "a drain of no time": {"secret": SECRET, "config": {"tagway": {"drain_timeout": 0}}},
}.items():
    check(f"refused: {what}", [] if is_refused(values) else ["it was rendered"])

print()
print("test-manifests:", f"{failures} failed" if failures else "everything passed")
sys.exit(bool(failures))
