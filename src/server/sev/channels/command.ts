import { spawn } from 'node:child_process'
import { failed, reasonOf, sent, type Channel, type Outcome } from './channel.ts'

/** Facts for the program: never in its arguments, which every user of the machine can read. */
function environmentOf(facts: Record<string, string | number | null>): Record<string, string> {
  const entries = Object.entries(facts).map(([name, value]) => [
    `MUSTER_${name.replaceAll(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase()}`,
    String(value ?? ''),
  ])
  return Object.fromEntries(entries) as Record<string, string>
}

/** Runs a program (a gateway for text or voice) with the body on its standard input. Exit 0 is success. No shell. */
export const commandChannel: Channel = (delivery, _host, signal) =>
  new Promise<Outcome>((resolve) => {
    const [program = '', ...args] = delivery.address.split(/\s+/).filter(Boolean)
    const { facts, firstLine, text } = delivery.page
    const child = spawn(program, args, {
      detached: true,
      stdio: ['pipe', 'ignore', 'pipe'],
      env: { ...process.env, ...environmentOf({ ...facts, key: delivery.key, attempt: delivery.attempt, firstLine }) },
    })
    let complaint = ''
    let isTimeout = false
    // A program that hangs is killed with everything it started.
    const kill = (): void => {
      isTimeout = true
      if (child.pid !== undefined) {
        try {
          process.kill(-child.pid, 'SIGKILL')
        } catch {
          // It has just ended.
        }
      }
    }
    signal.addEventListener('abort', kill, { once: true })
    const end = (outcome: Outcome): void => {
      signal.removeEventListener('abort', kill)
      resolve(outcome)
    }
    child.stderr?.on('data', (chunk: Buffer) => {
      if (complaint.length < 200) complaint += chunk.toString('utf8')
    })
    child.once('error', (error) => end(failed(`${program}: ${reasonOf(error)}`)))
    child.once('close', (code, killed) => {
      if (code === 0) end(sent('exit 0'))
      else if (isTimeout) end(failed('no end in 10 s, killed'))
      else end(failed(`exit ${code ?? killed}${complaint === '' ? '' : `: ${complaint.trim().split('\n')[0]}`}`))
    })
    // A program that does not read its input is its own business: only its exit code counts.
    child.stdin?.on('error', () => undefined)
    child.stdin?.end(text)
  })
