import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'

/**
 * `muster foo …` runs `muster-foo …` from PATH if muster has no such command. Gives false if there is none; else waits
 * for its end and takes over its exit code.
 */
export async function runPlugin(argv: readonly string[], env: NodeJS.ProcessEnv = process.env): Promise<boolean> {
  const name = argv[0]
  if (name === undefined || !/^[a-z][a-z0-9-]*$/.test(name)) return false
  const file = (env['PATH'] ?? '')
    .split(delimiter)
    .map((folder) => join(folder, `muster-${name}`))
    .find(isExecutable)
  if (file === undefined) return false
  const { spawn } = await import('node:child_process')
  const child = spawn(file, argv.slice(1), { stdio: 'inherit' })
  // The terminal sends Ctrl-C to both; we wait for what the plugin makes of it.
  const ignore = (): void => {}
  process.on('SIGINT', ignore)
  const code = await new Promise<number>((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (exit, signal) => resolve(exit ?? (signal === 'SIGINT' ? 130 : 143)))
  })
  process.off('SIGINT', ignore)
  process.exitCode = code
  return true
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK)
    return true
  } catch {
    return false
  }
}
