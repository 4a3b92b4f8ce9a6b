import { mkdirSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { packageRoot } from '../../src/platform/spawn.ts'

/** Another installation of this version, in a folder that is made. Gives the program of its agents. */
export function newInstallation(folder: string): string {
  mkdirSync(folder)
  for (const name of ['dist', 'package.json', 'node_modules']) symlinkSync(join(packageRoot(), name), join(folder, name))
  return join(folder, 'dist/agent/main.js')
}
