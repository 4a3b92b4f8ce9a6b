import { readFileSync } from 'node:fs'
import { extname, join } from 'node:path'
import { refuse } from '../../core/kernel/errors.ts'
import { packageRoot } from '../../platform/spawn.ts'

/** The pages there are, in the order of their links. */
export const PAGES = ['scuba', 'sql', 'boards', 'slo', 'alerts', 'trace', 'log', 'store'] as const
export type PageName = (typeof PAGES)[number]

/** What a build writes beside the files (`scripts/build.js`): which hashed name is what. */
interface Manifest {
  style: string
  icon: string
  pages: Record<PageName, string>
  files: string[]
}

export interface Asset {
  type: string
  bytes: Buffer
}

export interface Assets {
  manifest: Manifest
  files: ReadonlyMap<string, Asset>
}

const TYPES: Record<string, string> = {
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
}

/** All of them, in memory: a build that comes later must not take them from pages that are open. Throws UNAVAILABLE where nothing was built. */
export function readAssets(folder = join(packageRoot(), 'dist/web')): Assets {
  try {
    const manifest = JSON.parse(readFileSync(join(folder, 'manifest.json'), 'utf8')) as Manifest
    const files = manifest.files.map((name): [string, Asset] => {
      return [name, { type: TYPES[extname(name)] ?? 'application/octet-stream', bytes: readFileSync(join(folder, name)) }]
    })
    return { manifest, files: new Map(files) }
  } catch (error) {
    throw refuse('UNAVAILABLE', `the pages are not built: ${(error as Error).message}`, { hint: 'Run `npm run build`.', cause: error })
  }
}
