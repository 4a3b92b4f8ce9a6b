import { readFileSync } from 'node:fs'
import { main } from './main.ts'
import type { CommandInfo } from './render/help.ts'
import type { CommandClass } from './run-command.ts'

/** Put in by the build: JSON of `{version, ids}`. */
declare const MUSTER_PROGRAM: string

/** Where the bundle starts; `bin/muster.js` calls it. This file is `dist/cli/bundle-main.js`. */
export function run(argv: string[]): Promise<void> {
  return main(argv, {
    ...(JSON.parse(MUSTER_PROGRAM) as { version: string; ids: string[] }),
    load: async (id) =>
      ((await import(new URL(`../commands/${id.replaceAll(':', '/')}.js`, import.meta.url).href)) as { default: CommandClass }).default,
    describe: async () => {
      const manifest = JSON.parse(readFileSync(new URL('../oclif.manifest.json', import.meta.url), 'utf8')) as {
        commands: Record<string, CommandInfo>
      }
      return Object.values(manifest.commands)
    },
  })
}
