#!/usr/bin/env python3
"""Man pages and shell completions, made from what `tagway help` prints and from docs/.

    documents.py TAGWAY FOLDER

writes tagway.1, tagway.yaml.5, and tagway.bash, tagway.zsh, tagway.fish into FOLDER. There is no other source: a flag
that is in the help is in the page and the completions.
"""

import pathlib
import re
import subprocess
import sys

DOCS = pathlib.Path(__file__).resolve().parents[2] / "docs"


def run(tagway, *words):
    return subprocess.run([tagway, *words], check=True, capture_output=True, text=True, timeout=10).stdout


class Help:
    """The commands, and of each its text, options and actions: lines of two columns."""

    def __init__(self, tagway):
        self.version = run(tagway, "version").split()[1]
        self.general = run(tagway, "help")
        self.commands = dict(re.findall(r"^  ([a-z]+)(?: [A-Z]+)?  +(\S.*)$", self.general, re.M))
        self.texts = {}
        for name in self.commands:
            text = run(tagway, "help", name)
            if text != self.general:
                self.texts[name] = text
        if not self.texts:
            sys.exit("documents.py: `tagway help` lists no commands; has its form changed?")

    def options(self, command):
        """(short, long, value, description) of each option."""
        text = self.texts.get(command, "")
        found = re.findall(r"^ +(?:(-[a-z]), )?(--[a-z_-]+)(?: ([A-Z]+))?  +(\S.*)$", text, re.M)
        return [(short, long, value, words.split(";")[0].rstrip(",:")) for short, long, value, words in found]

    def actions(self, command):
        """(name, description) of each action."""
        text = self.texts.get(command, "")
        found = re.findall(r"^  ([a-z][a-z-]*)(?: \[?[A-Z]+\]?)?  +(\S.*)$", text, re.M)
        if len(found) != len(re.findall(r"^  [a-z]", text, re.M)):
            sys.exit(f"documents.py: not every action of `tagway help {command}` is understood")
        return found


# Man pages ------------------------------------------------------------------------------------------------------------


def escape(text):
    text = text.replace("\\", r"\e").replace("-", r"\-")
    return "\\&" + text if text[:1] in (".", "'") else text


def inline(text):
    """Code spans bold, links as their text."""
    text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", text)
    parts = re.split(r"`([^`]*)`", text)
    pieces = []
    for index, part in enumerate(parts):
        part = re.sub(r"\*\*([^*]*)\*\*", "\1b\\1\1r", part) if index % 2 == 0 else part
        part = part.replace("\\|", "|").replace("\\", "\\e").replace("-", "\\-")
        pieces.append(f"\\fB{part}\\fR" if index % 2 else part.replace("\1b", "\\fB").replace("\1r", "\\fR"))
    line = "".join(pieces)
    return "\\&" + line if line[:1] in (".", "'") else line


def cells(line):
    return [cell.strip() for cell in re.split(r"(?<!\\)\|", line.strip().strip("|"))]


def roff(markdown):
    """The few forms of Markdown that docs/ has: headings, paragraphs, lists, tables, blocks of code."""
    out, lines, paragraph = [], markdown.splitlines(), []

    def flush():
        if paragraph:
            out.extend([".PP", inline(" ".join(paragraph))])
            paragraph.clear()

    position = 0
    while position < len(lines):
        line = lines[position]
        position += 1
        if line.startswith("```"):
            flush()
            out.extend([".PP", ".nf", ".RS 4"])
            while position < len(lines) and not lines[position].startswith("```"):
                out.append(escape(lines[position]))
                position += 1
            position += 1
            out.extend([".RE", ".fi"])
        elif line.startswith("|"):
            flush()
            header, position = cells(line), position + 1
            while position < len(lines) and lines[position].startswith("|"):
                row = cells(lines[position])
                position += 1
                out.extend([".TP", inline(row[0])])
                for name, cell in zip(header[1:], row[1:]):
                    if cell:
                        label = "" if len(header) == 2 else f"{name}: "
                        out.extend([inline(label + cell), ".br"])
                if out[-1] == ".br":
                    out.pop()
        elif match := re.match(r"(#+) (.*)", line):
            flush()
            level, title = len(match[1]), match[2].replace("`", "")
            if level > 1:
                out.append(f".SH {escape(title.upper())}" if level == 2 else f".SS {escape(title)}")
        elif match := re.match(r"- (.*)", line):
            flush()
            words = [match[1]]
            while position < len(lines) and re.match(r"  \S", lines[position]):
                words.append(lines[position].strip())
                position += 1
            out.extend([".IP \\(bu 2", inline(" ".join(words))])
        elif line.strip():
            paragraph.append(line.strip())
        else:
            flush()
    flush()
    return "\n".join(out) + "\n"


def page(name, section, version, summary, body):
    head = f'.TH {name.upper()} {section} "" "Tagway {version}" "Tagway"\n'
    return f"{head}.SH NAME\n{name} \\- {escape(summary)}\n{body}"


def verbatim(text):
    return "".join(f"{escape(line)}\n" for line in text.rstrip("\n").split("\n"))


def command_page(help):
    body = ".SH SYNOPSIS\n"
    body += ".br\n".join(
        f".B tagway {name}\n{escape(help.texts[name].splitlines()[0].split(name, 1)[1].strip())}\n" for name in help.texts
    )
    body += f".SH DESCRIPTION\n.nf\n{verbatim(help.general)}.fi\n"
    for name, text in help.texts.items():
        body += f".SH TAGWAY {name.upper()}\n.nf\n{verbatim(text)}.fi\n"
    body += roff((DOCS / "operations.md").read_text())
    body += ".SH FILES\n.TP\n/etc/tagway/config.yaml\nthe configuration of the service; tagway.yaml(5)\n"
    body += ".TP\n/etc/tagway/environment\nkeys that it refers to\n"
    body += ".SH SEE ALSO\n.BR tagway.yaml (5)\n"
    return page("tagway", 1, help.version, "gateway for language models with routing by tags", body)


def configuration_page(help):
    body = ".SH DESCRIPTION\n" + roff((DOCS / "configuration.md").read_text()) + ".SH SEE ALSO\n.BR tagway (1)\n"
    return page("tagway.yaml", 5, help.version, "configuration of tagway", body)


# Completions ----------------------------------------------------------------------------------------------------------


def bash(help):
    cases = []
    for name in help.commands:
        words = [long for _, long, _, _ in help.options(name)] + [word for word, _ in help.actions(name)]
        cases.append(f"        {name}) words='{' '.join(words)}' ;;")
    files = sorted({long for name in help.commands for _, long, value, _ in help.options(name) if value in ("FILE", "D", "DIR")})
    return f"""# bash completion for tagway
_tagway() {{
    local current=${{COMP_WORDS[COMP_CWORD]}} previous=${{COMP_WORDS[COMP_CWORD - 1]}} words=
    COMPREPLY=()
    case $previous in
        -c|{'|'.join(files)}) mapfile -t COMPREPLY < <(compgen -f -- "$current"); return ;;
    esac
    if ((COMP_CWORD == 1)); then
        mapfile -t COMPREPLY < <(compgen -W '{' '.join(help.commands)}' -- "$current")
        return
    fi
    case ${{COMP_WORDS[1]}} in
{chr(10).join(cases)}
    esac
    if [[ ${{COMP_WORDS[1]}} == help ]]; then words='{' '.join(help.texts)}'; fi
    mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
    if [[ ${{COMP_WORDS[1]}} == check && $current != -* ]]; then mapfile -t COMPREPLY < <(compgen -f -- "$current"); fi
}}
complete -o filenames -F _tagway tagway
"""


def quoted(text):
    return text.replace("'", "'\\''").replace("[", "\\[").replace("]", "\\]").replace(":", "\\:")


def zsh(help):
    out = ["#compdef tagway", "local -a commands=("]
    out += [f"    '{name}:{quoted(words)}'" for name, words in help.commands.items()]
    out += [")", "if ((CURRENT == 2)); then", "    _describe command commands", "    return", "fi", "case $words[2] in"]
    for name in help.commands:
        specs = []
        for short, long, value, words in help.options(name):
            after = f":{value}:" + ("_files" if value in ("FILE", "D", "DIR") else "") if value else ""
            specs += [f"'{flag}[{quoted(words)}]{after}'" for flag in (short, long) if flag]
        if actions := help.actions(name):
            specs.append(f"'2:action:({' '.join(word for word, _ in actions)})'")
        elif name == "help":
            specs.append(f"'2:command:({' '.join(help.texts)})'")
        elif name == "check":
            specs.append("'2:file:_files'")
        if specs:
            out.append(f"    {name}) _arguments {' '.join(specs)} ;;")
    return "\n".join([*out, "esac", ""])


def fish(help):
    def string(text):
        return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"

    out = ["complete -c tagway -f"]
    for name, words in help.commands.items():
        out.append(f"complete -c tagway -n __fish_use_subcommand -a {name} -d {string(words)}")
        inside = f"complete -c tagway -n '__fish_seen_subcommand_from {name}'"
        for short, long, value, description in help.options(name):
            flags = (f" -s {short[1:]}" if short else "") + f" -l {long[2:]}"
            flags += (" -r -F" if value in ("FILE", "D", "DIR") else " -x") if value else ""
            out.append(f"{inside}{flags} -d {string(description)}")
        for word, description in help.actions(name):
            out.append(f"{inside} -a {word} -d {string(description)}")
        if name == "check":
            out.append(f"{inside} -F")
        if name == "help":
            out.append(f"{inside} -a '{' '.join(help.texts)}'")
    return "\n".join(out) + "\n"


def main():
    tagway, folder = sys.argv[1], pathlib.Path(sys.argv[2])
    help = Help(tagway)
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in {
        "tagway.1": command_page(help), "tagway.yaml.5": configuration_page(help),
        "tagway.bash": bash(help), "tagway.zsh": zsh(help), "tagway.fish": fish(help),
    }.items():
        (folder / name).write_text(text)


if __name__ == "__main__":
    main()
