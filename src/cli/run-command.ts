import type { Command } from './oclif.ts'

/** What oclif's Command asks of its Config. Ours knows its commands already, so the rest of Config is never loaded. */
interface LightConfig {
  bin: string
  version: string
  userAgent: string
  topicSeparator: string
  runHook: () => Promise<{ successes: never[]; failures: never[] }>
  scopedEnvVar: () => undefined
  scopedEnvVarKey: (name: string) => string
  scopedEnvVarKeys: (name: string) => string[]
}

/** A command class as its file exports it. */
export interface CommandClass {
  new (argv: string[], config: never): Command
  id: string
  flags: Record<string, unknown>
  baseFlags: Record<string, unknown>
}

/** Runs one command; rejects with whatever it throws. */
export async function runCommand(command: CommandClass, id: string, argv: string[], version: string): Promise<void> {
  command.id = id
  const config: LightConfig = {
    bin: 'muster',
    version,
    userAgent: `muster/${version}`,
    topicSeparator: ' ',
    runHook: async () => ({ successes: [], failures: [] }),
    scopedEnvVar: () => undefined,
    scopedEnvVarKey: (name) => `MUSTER_${name}`,
    scopedEnvVarKeys: (name) => [`MUSTER_${name}`],
  }
  // `_run` is oclif's own way in, which its static `run` takes after it has loaded a Config.
  await (new command(argv, config as never) as unknown as { _run: () => Promise<unknown> })._run()
}
