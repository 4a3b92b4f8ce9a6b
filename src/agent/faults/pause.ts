import { spawn } from 'node:child_process'
import { setTimeout as sleep } from 'node:timers/promises'
import { systemProgram } from '../exec/programs.ts'
import { groupStates, isAlive, signalProcess, type ProcessId } from '../../platform/process.ts'
import type { FaultDriver } from './driver.ts'

/**
 * The holder stops the group, waits for the end of its input or of its time, and lets the group go on. The agent holds its
 * input, so the pause ends within milliseconds of the agent's death; `timeout` ends it should the agent itself hang.
 */
const HOLDER = `same() { read -r s < /proc/$1/stat || return 1; set -- "$2" \${s##*) }; [ "\${21}" = "$1" ]; }
same "$1" "$2" && "$4" -STOP -- -"$1" && { timeout "$3" cat > /dev/null; same "$1" "$2" && "$4" -CONT -- -"$1"; }`

const SEEN_WITHIN_MS = 1000

/** `legion.pause`: SIGSTOP to the task's process group until reverted. */
export const pause: FaultDriver = {
  arm: async (_order, target, remainingMs) => {
    const seconds = Math.max(0.1, remainingMs / 1000).toFixed(1)
    const holder = spawn(
      '/bin/sh',
      ['-c', HOLDER, 'muster-pause', String(target.pid), String(target.startTime), seconds, systemProgram('kill') ?? '/bin/kill'],
      {
        stdio: ['pipe', 'ignore', 'ignore'],
        detached: true,
      },
    )
    let hasEnded = false
    const ended = new Promise<void>((resolve) => holder.once('close', () => resolve(void (hasEnded = true))))
    holder.once('error', () => (hasEnded = true))
    holder.stdin.on('error', () => {})
    const revert = async (): Promise<boolean> => {
      holder.stdin.end()
      await Promise.race([ended, sleep(SEEN_WITHIN_MS)])
      return resume(target)
    }
    if (!(await until(() => hasEnded || isStopped(target))) || !isStopped(target)) {
      await revert()
      throw new Error('the process did not stop')
    }
    return {
      effect: 1,
      get isOver() {
        return hasEnded
      },
      revert,
    }
  },
  undo: resume,
}

/** Lets a group go on, whoever stopped it; true when it is seen running or gone. */
async function resume(target: ProcessId): Promise<boolean> {
  if (isHeld(target)) signalProcess(target, 'SIGCONT', 'group')
  return until(() => !isHeld(target))
}

/**
 * Whether the group stands still. A process that waits for its vfork child is shown as sleeping for ever (D) when the
 * child was stopped first, so the leader's own state does not say it.
 */
function isStopped(target: ProcessId): boolean {
  if (!isAlive(target)) return false
  const states = groupStates(target.pid)
  return states.includes('T') && states.every((state) => state === 'T' || state === 'D' || state === 'Z')
}

/** Whether anything of the group is still held; dead leaders hold nothing, since their shim kills the rest. */
function isHeld(target: ProcessId): boolean {
  return isAlive(target) && groupStates(target.pid).includes('T')
}

async function until(holds: () => boolean): Promise<boolean> {
  const giveUpAt = performance.now() + SEEN_WITHIN_MS
  while (!holds()) {
    if (performance.now() > giveUpAt) return false
    await sleep(10)
  }
  return true
}
