import { lstat, readdir } from 'node:fs/promises'
import { join, relative } from 'node:path'

/** Plain files below a directory, as relative paths in order; `['']` for a file itself, none if nothing is there. */
export async function filesBelow(root: string): Promise<string[]> {
  const found = await lstat(root).catch(() => null)
  if (found === null) return []
  if (found.isFile()) return ['']
  if (!found.isDirectory()) return []
  const entries = await readdir(root, { recursive: true, withFileTypes: true })
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => relative(root, join(entry.parentPath, entry.name)))
    .sort()
}
