#!/usr/bin/env python3
"""manifests.py TAGWAY: deploy/kubernetes against the models of Kubernetes' own Python client, and against each other.

Every field has to be one of its model, of its type, and every required one be there. The grace period has to be what
`tagway check --container` says of config.yaml. Exits 1 when anything is wrong.
"""

import pathlib
import re
import subprocess
import sys

import kubernetes.client.models as models
import yaml

FOLDER = pathlib.Path(__file__).resolve().parents[1] / "kubernetes"
problems = []


def walk(value, kind, path):
    if match := re.fullmatch(r"[lL]ist\[(.*)\]", kind):
        if not isinstance(value, list):
            return problems.append(f"{path}: expected a list")
        for index, item in enumerate(value):
            walk(item, match[1], f"{path}[{index}]")
    elif match := re.fullmatch(r"[dD]ict[(\[]str, (.*)[)\]]", kind):
        for key, item in value.items():
            walk(item, match[1], f"{path}.{key}")
    elif kind in ("str", "int", "bool", "float"):
        if not isinstance(value, {"str": str, "int": int, "bool": bool, "float": (int, float)}[kind]):
            problems.append(f"{path}: expected {kind}, found {value!r}")
    elif kind not in ("object", "datetime"):
        model = getattr(models, kind)
        names = {outer: inner for inner, outer in model.attribute_map.items()}
        for key, item in value.items():
            if key not in names:
                problems.append(f"{path}: {kind} has no {key}")
            else:
                walk(item, model.openapi_types[names[key]], f"{path}.{key}")
        try:
            # The constructor refuses None for what is required.
            model(**{names[key]: item for key, item in value.items() if key in names})
        except ValueError as error:
            problems.append(f"{path}: {error}")


kustomization = yaml.safe_load((FOLDER / "kustomization.yaml").read_text())
deployment = None
for name in kustomization["resources"]:
    document = yaml.safe_load((FOLDER / name).read_text())
    version = "".join(part.capitalize() for part in document["apiVersion"].split("/")[-1:])
    walk(document, f"{version}{document['kind']}", name)
    print(f"read  {name}: {document['apiVersion']} {document['kind']}")
    if document["kind"] == "Deployment":
        deployment = document["spec"]["template"]["spec"]
listed = {*kustomization["resources"], "kustomization.yaml", "config.yaml", "secret.env"}
for path in FOLDER.iterdir():
    if path.name not in listed:
        problems.append(f"{path.name} is in no list of kustomization.yaml")

said = subprocess.run(
    [sys.argv[1], "check", "--container", str(FOLDER / "config.yaml")], capture_output=True, text=True, timeout=10,
    env={"OPENAI_API_KEY": "sk-for-this-test", "TAGWAY_MASTER_KEY": "sk-0123456789abcdef-test"},
)
print(said.stdout, end="")
if said.returncode != 0:
    problems.append("config.yaml cannot be served")
for key, value in re.findall(r"^(terminationGracePeriodSeconds|preStop\.sleep\.seconds): (\d+)", said.stdout, re.M):
    found = (
        deployment["terminationGracePeriodSeconds"] if key.startswith("term")
        else deployment["containers"][0]["lifecycle"]["preStop"]["sleep"]["seconds"]
    )
    if found != int(value):
        problems.append(f"deployment.yaml: {key} is {found}, `check --container` says {value}")
if "terminationGracePeriodSeconds" not in said.stdout:
    problems.append("`check --container` says no grace period")

print(*(f"FAIL  {problem}" for problem in problems), sep="\n", end="\n" if problems else "")
print("test-manifests:", f"{len(problems)} failed" if problems else "everything passed")
sys.exit(bool(problems))
