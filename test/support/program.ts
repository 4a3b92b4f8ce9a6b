import { join } from 'node:path'
import { entryPoint, packageRoot, type MainName } from '../../src/platform/spawn.ts'

/**
 * The argv that runs one of muster's own programs as it is shipped, which starts in a third of the time that its sources
 * take; with MUSTER_TEST_BIN, the sources.
 */
export function program(name: MainName): [command: string, file: string] {
  if (process.env['MUSTER_TEST_BIN'] !== undefined) return entryPoint(name)
  return [process.execPath, join(packageRoot(), 'dist', `${name}.js`)]
}
