// Not by import: that would read every export of node:fs, some of which load more, on each start of `muster`.
const { readdirSync, readFileSync, statSync } = process.getBuiltinModule('node:fs')

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
  const look = (path) => {
    files += 1
    const { mtimeMs } = statSync(path)
    if (mtimeMs > newestMs) newestMs = mtimeMs
  }
  const visit = (folder) => {
    for (const item of readdirSync(folder, { withFileTypes: true })) {
      const path = `${folder}/${item.name}`
      if (item.isDirectory()) visit(path)
      else if (!item.name.endsWith('.md')) look(path)
    }
  }
  for (const input of INPUTS) {
    const path = `${root}/${input}`
    if (statSync(path).isDirectory()) visit(path)
    else look(path)
  }
  return `${Math.floor(newestMs)} ${files}`
}

/**
 * Whether `dist/` is missing or older than the sources.
 * @param {string} root folder of package.json
 */
export function isStale(root) {
  try {
    return readFileSync(`${root}/dist/stamp`, 'utf8') !== sourceStamp(root)
  } catch {
    return true
  }
}
