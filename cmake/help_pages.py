"""The manual page and the shell completions of `quern`, made of what `quern --help` says.

usage: help_pages.py QUERN OUTPUT_DIR        writes quern.1, quern.bash and quern.fish
"""
import os
import re
import subprocess
import sys

TITLES = ("Options", "Subcommands", "Positionals")


def help_of(quern, *command):
    run = subprocess.run([quern, *command, "--help"], capture_output=True, text=True, check=True, env={"COLUMNS": "1000"})
    return run.stdout


def parse(text):
    """(first line, {title: [(name, description)]}, the other paragraphs as lines)."""
    lines = text.splitlines()
    sections, rest, title = {}, [], None
    for number, line in enumerate(lines[1:], 1):
        heading = re.fullmatch(r"([A-Z]\w+):", line)
        entry = re.match(r"  (\S(?:.*?\S)?)(?:\s{2,}(\S.*))?$", line)
        if heading:
            # A group of options has a heading of its own; here they are all one.
            title = "Options" if "".join(lines[number + 1:number + 2]).startswith("  -") else heading[1]
            sections.setdefault(title, [])
            if title not in TITLES:
                rest.append((title, []))
        elif title in TITLES and entry and not line.startswith(" " * 20):
            sections[title].append((entry[1], entry[2] or ""))
        elif title in TITLES and line.startswith(" " * 20) and sections[title]:
            name, description = sections[title][-1]
            sections[title][-1] = (name, (description + " " + line.strip()).strip())
        elif title in TITLES and not line.strip():
            title = None
        elif line.strip() and not line.startswith("Usage:"):
            if not rest:
                rest.append(("", []))
            rest[-1][1].append(line)
    if not lines or not sections.get("Options"):
        raise ValueError("the help of quern does not look as expected")
    return lines[0], sections, rest


def flags(name):
    """["-m", "--model"] of "-m,--model MODEL"."""
    return [word for word in name.split()[0].split(",") if word.startswith("-")]


def spelt(name):
    """"-t,--threads N:INT in [0 - 4096]" without the check of its value."""
    return re.sub(r":(INT|FLOAT|UINT|NUMBER|\{).*", "", name).replace(",-", ", -")


def roff(text):
    text = text.replace("\\", "\\e").replace("-", "\\-")
    return re.sub(r"^([.'])", r"\\&\1", text, flags=re.MULTILINE)


def manual(version, top, commands):
    about, sections, rest = top
    out = [f'.TH QUERN 1 "" "quern {version}" "User Commands"', ".SH NAME", f"quern \\- {roff(about[0].lower() + about[1:])}",
           ".SH SYNOPSIS", ".B quern", ".I COMMAND", "[OPTIONS] [MODEL]", ".SH OPTIONS"]

    def entries(items):
        for name, description in items:
            out.extend([".TP", f".B {roff(spelt(name))}", roff(description) or "\\&"])

    entries(sections["Options"])
    out.append(".SH COMMANDS")
    for name, (first, parts, others) in commands.items():
        out.extend([f".SS quern {roff(name)}", roff(first)])
        entries(parts.get("Positionals", []) + parts["Options"])
        for title, lines in others:
            out.extend([".PP", *([f".B {title}"] if title else []), ".nf", *map(roff, lines), ".fi"])
    for title, lines in rest:
        out.extend([f".SH {title.upper() or 'NOTES'}", ".nf", *map(roff, lines), ".fi"])
    return "\n".join(out) + "\n"


def bash(top, commands):
    cases = ""
    for name, (_, parts, _) in commands.items():
        words = " ".join(flag for entry, _ in parts["Options"] for flag in flags(entry))
        cases += f"    {name}) words=\"{words}\" ;;\n"
    names = " ".join(commands)
    own = " ".join(flag for entry, _ in top[1]["Options"] for flag in flags(entry))
    return f"""# bash completion of quern: commands, their options, and files. Also for zsh, after bashcompinit.
_quern() {{
  local word="${{COMP_WORDS[COMP_CWORD]}}" words="" i
  COMPREPLY=()
  if [ "$COMP_CWORD" -eq 1 ]; then
    COMPREPLY=($(compgen -W "{names} {own}" -- "$word"))
    return
  fi
  case "${{COMP_WORDS[1]}}" in
{cases}  esac
  case "$word" in
    -*) COMPREPLY=($(compgen -W "$words" -- "$word")) ;;
    *)
      while IFS= read -r i; do COMPREPLY+=("$i"); done < <(compgen -f -- "$word")
      [ "$COMP_CWORD" -eq 2 ] && COMPREPLY+=($(compgen -W "demo" -- "$word"))
      ;;
  esac
}}
complete -o filenames -F _quern quern
"""


def fish(commands):
    def quoted(text):
        return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"

    out = ["# fish completion of quern", "complete -c quern -n __fish_use_subcommand -f"]
    for name, (first, parts, _) in commands.items():
        out.append(f"complete -c quern -n __fish_use_subcommand -f -a {name} -d {quoted(first)}")
        for entry, description in parts["Options"]:
            spellings = ""
            for flag in flags(entry):
                kind = "-l" if flag.startswith("--") else "-s" if len(flag) == 2 else "-o"
                spellings += f" {kind} {flag.lstrip('-')}"
            value = " -r" if " " in entry else ""
            out.append(f"complete -c quern -n '__fish_seen_subcommand_from {name}'{spellings}{value} -d {quoted(description)}")
    return "\n".join(out) + "\n"


def main():
    quern, folder = sys.argv[1:]
    version = subprocess.run([quern, "--version"], capture_output=True, text=True, check=True).stdout.split()[-1]
    top = parse(help_of(quern))
    commands = {name.split()[0]: parse(help_of(quern, name.split()[0])) for name, _ in top[1]["Subcommands"]}
    pages = {"quern.1": manual(version, top, commands), "quern.bash": bash(top, commands), "quern.fish": fish(commands)}
    for name, text in pages.items():
        with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
            file.write(text)


main()
