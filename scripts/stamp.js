import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'

/** What the bundle is made from; anything newer than the stamp makes it stale. */
const INPUTS = ['src', 'scripts/build.js', 'package.json']

/**
 * A cheap mark of the sources: newest change and number of files. A few milliseconds, so that `muster` itself can ask on
 * each start in a checkout.
 * @param {string} root folder of package.json
 * @returns {string}
 */
export function sourceStamp(root) {
  let newestMs = 0
  let files = 0
  const visit = (path) => {
    const stat = statSync(path, { throwIfNoEntry: false })
    if (stat === undefined) return
    if (stat.isDirectory()) {
      for (const name of readdirSync(path)) visit(join(path, name))
    } else if (!path.endsWith('.md')) {
      files += 1
      if (stat.mtimeMs > newestMs) newestMs = stat.mtimeMs
    }
  }
  for (const input of INPUTS) visit(join(root, input))
  return `${Math.floor(newestMs)} ${files}`
}

/**
 * Whether `dist/` is missing or older than the sources.
 * @param {string} root folder of package.json
 */
export function isStale(root) {
  try {
    return readFileSync(join(root, 'dist/stamp'), 'utf8') !== sourceStamp(root)
  } catch {
    return true
  }
}
