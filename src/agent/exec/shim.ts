import { must } from '../../core/kernel/assert.ts'
import { succeeds, systemProgram } from './programs.ts'

/** `$0` of every shim; with the folder behind it this is how a stray one is found again in /proc. */
export const SHIM_NAME = 'muster-shim'

/** Tools the shim cannot do without; all are in every Linux with util-linux. */
export const SHIM_TOOLS = ['sh', 'setsid'] as const

let cached: { shell: string; script: string } | null = null

/**
 * The shim every task runs under: a small POSIX shell (1.7 MB with dash) instead of a Node process per task. It outlives
 * the agent, so the exit code is never lost. Called as `SHELL -c SCRIPT muster-shim FOLDER COMMAND…`.
 *
 * - `shim` is created exclusively: one prepared start runs at most once, whoever tries.
 * - `pid` is written by the child itself before it becomes the command, so that a quick exit cannot come first; and from
 *   the host's /proc, so that it holds in a pid namespace too.
 * - `pid` and `exit` are one line each, written at once: without its newline a line does not count.
 * - the command leads a session of its own: its group can be killed while the shim lives to tell the code.
 * - background commands of a shell start with INT and QUIT ignored; `env --default-signal` gives them back.
 * - its variables have a prefix, since an exported one of the same name would be changed for the task.
 */
export function shim(): { shell: string; script: string } {
  if (cached !== null) return cached
  const setsid = must(systemProgram('setsid'), 'setsid of util-linux is needed to run tasks')
  const signals = succeeds('env', ['--default-signal=INT,QUIT', 'true']) ? `${systemProgram('env')} --default-signal=INT,QUIT` : ''
  const script = `mu_d=$1; shift
read -r mu_b < /proc/sys/kernel/random/boot_id
mu_stamp() { read -r mu_s < /proc/self/stat; mu_p=\${mu_s%% *}; set -- \${mu_s##*) }; echo "$mu_p \${20} $mu_b"; }
set -C; mu_stamp > "$mu_d/shim" || exit 125; set +C
for mu_s in TERM INT HUP; do trap "kill -$mu_s \\$mu_c" $mu_s; done
( mu_stamp > "$mu_d/pid" && . "$mu_d/prepare" || exit 126
  exec ${setsid} ${signals} "$@" ) &
mu_c=$!
wait $mu_c; mu_x=$?
while kill -0 $mu_c; do wait $mu_c; mu_x=$?; done 2> /dev/null
wait $mu_c; mu_l=$?; [ $mu_l -eq 127 ] || mu_x=$mu_l
kill -KILL -$mu_c 2> /dev/null
echo $mu_x > "$mu_d/exit"
exit $mu_x
`
  cached = { shell: systemProgram('dash') ?? must(systemProgram('sh'), 'a POSIX shell is needed to run tasks'), script }
  return cached
}
