import { dirname } from 'node:path'
import { fileURLToPath } from 'node:url'
import { main, type Program } from './main.ts'

/** Put in by the build: what of package.json the program needs, and the ids of the commands. */
declare const MUSTER_PROGRAM: Program

/** Where the bundle starts; `bin/muster.js` calls it. This file is `dist/cli/bundle-main.js`. */
export function run(argv: string[]): Promise<void> {
  return main(argv, { ...MUSTER_PROGRAM, root: dirname(dirname(fileURLToPath(import.meta.url))) })
}
