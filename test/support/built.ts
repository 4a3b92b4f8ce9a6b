import { execFileSync } from 'node:child_process'
import { join } from 'node:path'

/** Before any test: tests that start programs start what was built of these sources. */
export function setup(): void {
  const build = join(import.meta.dirname, '../../scripts/build.js')
  if (process.env['MUSTER_TEST_BIN'] === undefined) execFileSync(process.execPath, [build, '--if-stale'], { stdio: 'inherit' })
}
