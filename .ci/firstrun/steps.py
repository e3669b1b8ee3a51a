"""Takes the steps out of docs/FIRST-RUN.md and makes a shell script of them that measures each,
with the lines of README.md that play without a phone behind them; with
--measured it checks what that script printed, and with -update besides writes it into the page."""

import re
import sys

PAGE, *REST = sys.argv[1:]
TEXT = open(PAGE, encoding="utf-8").read()
PLAY = re.compile(r"^Without a phone, a line each:\n\n```\nwasim play[^\n]*\n(.*?)```", re.S | re.M)  # step 3 has it running
STEP = re.compile(r"\*\*(\d+)\. (.*?)\*\*.*?<!-- step(.*?) -->\n```sh\n(.*?)```", re.S)
MOST_STEPS, MOST_SECONDS = 7, 300

HEAD = r"""
set -euo pipefail
cd "$HOME"
logs=$1
trap 'kill $(jobs -p) 2>/dev/null || true; wait 2>/dev/null || true' EXIT
failed() { echo "FAILED: $1"; cat "$2" 2>/dev/null; exit 1; }
# until LOG TEXT: waits for a text in a log, half a minute at most
until_there() {
  for _ in $(seq 600); do grep -q -- "$2" "$1" 2>/dev/null && return; sleep 0.05; done
  failed "no \"$2\" came" "$1"
}
now() { date +%s%3N; }
"""

TAIL = r"""
until_there "$logs/step6" 'evt_[0-9a-f]* message.received'
printf 'received\t%s\n' "$(grep -c 'evt_[0-9a-f]* message.received' "$logs/step6")"
eval "$(wasim env)"
waoutbox status --check >"$logs/status" 2>&1 || failed "status --check" "$logs/status"
waoutbox unpair --yes >"$logs/unpair" 2>&1 || failed "unpair" "$logs/unpair"
waoutbox stop >"$logs/stop" 2>&1 || failed "stop" "$logs/stop"
[ -z "$(find "$HOME" -mindepth 1 ! -name secret.txt ! -name receiver.py)" ] || { echo "FAILED: left in the home:"; find "$HOME"; exit 1; }

# once more from nothing, with the server that is there
state=$WAOUTBOX_STATE_DIR
unset WAOUTBOX_STATE_DIR WAOUTBOX_WHATSAPP_URL WAOUTBOX_WHATSAPP_ROOT_KEY
rm -r "$state"
(
{play}) >"$logs/play" 2>&1 || failed 'the lines of README.md' "$logs/play"
grep -q 'message.received' "$logs/play" || failed 'no message came' "$logs/play"
waoutbox --state-dir "$state" stop >"$logs/stop" 2>&1 || failed "stop" "$logs/stop"
"""


def script(steps, play, logs):
    out = [HEAD.replace("$1", logs, 1)]
    for number, title, how, commands in steps:
        log = f"$logs/step{number}"
        wants = how.partition("until: ")[2]
        out.append("began=$(now)")
        if "terminal of its own" in how:
            out.append(f"(\n{commands}) >\"{log}\" 2>&1 &")
        else:
            out.append(f"(\n{commands}) >\"{log}\" 2>&1 || failed 'step {number}' \"{log}\"")
        if wants:
            out.append(f"until_there \"{log}\" '{wants}'")
        out.append(f"printf '{number}\\t%s\\t{title.rstrip('.')}\\n' $(($(now) - began))")
    return "\n".join(out) + TAIL.replace("{play}", play)


def measured(path, where, update):
    global TEXT
    rows, received = [], 0
    for line in open(path, encoding="utf-8"):
        first, *rest = line.rstrip("\n").split("\t")
        if first == "received":
            received = int(rest[0])
        else:
            rows.append((first, int(rest[0]), rest[1]))
    total = sum(ms for _, ms, _ in rows)
    if received < 1 or len(rows) > MOST_STEPS or total > MOST_SECONDS * 1000:
        sys.exit(f"{received} webhooks received after {len(rows)} steps and {total / 1000:.0f} s: want one, after at most {MOST_STEPS} and {MOST_SECONDS} s")
    print(f"{len(rows)} steps, {total / 1000:.1f} s of the machine's, a webhook received and verified")
    if update:
        table = "\n".join(f"| {n} | {title[0].upper() + title[1:]} | {ms / 1000:.1f} s |" for n, ms, title in rows)
        body = f"{len(rows)} steps, {where}, on 2 cores:\n\n| step | | takes |\n|---|---|---|\n{table}\n| | the machine's part of it | {total / 1000:.1f} s |\n"
        begin, end = "<!-- measured: written by .ci/firstrun/run -update -->\n", "<!-- /measured -->"
        before, rest = TEXT.split(begin)
        after = rest.split(end, 1)[1]
        open(PAGE, "w", encoding="utf-8").write(before + begin + body + end + after)


if REST[0] == "--measured":
    measured(REST[1], REST[2], "-update" in REST[3:])
else:
    steps = STEP.findall(TEXT)
    if not 5 <= len(steps) <= MOST_STEPS:
        sys.exit(f"{PAGE} has {len(steps)} steps: want at most {MOST_STEPS}")
    play = PLAY.search(open(REST[2], encoding="utf-8").read())
    if not play:
        sys.exit(f"{REST[2]} has no lines that play without a phone")
    open(REST[0], "w", encoding="utf-8").write(script(steps, play[1], REST[1]))
