import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { packageRoot } from './spawn.ts'

/** Version of the code that runs. */
export function ownVersion(): string {
  return (JSON.parse(readFileSync(join(packageRoot(), 'package.json'), 'utf8')) as { version: string }).version
}
