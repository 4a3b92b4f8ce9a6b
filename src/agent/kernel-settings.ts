import { accessSync, constants, existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/* Kernel settings by the names a profile has for them: `vm.swappiness`, `transparent_hugepages`, `hugepages.2048kB`. */

/** What a setting that this kernel does not have reads as. */
export const NOT_THERE = 'not there'
const HUGE = 'transparent_hugepages'

/** @param root `/`, or a folder that stands for it */
function fileOf(root: string, name: string): string {
  if (name === HUGE) return join(root, 'sys/kernel/mm/transparent_hugepage/enabled')
  const pages = /^hugepages\.(\d+kB)$/.exec(name)
  if (pages !== null) return join(root, `sys/kernel/mm/hugepages/hugepages-${pages[1]}/nr_hugepages`)
  const path = name.includes('/') ? name.split('/') : name.split('.')
  if (path.some((part) => part === '' || part === '.' || part === '..')) throw new Error(`"${name}" is no name of a setting`)
  return join(root, 'proc/sys', ...path)
}

/** Its value, words apart by one space as in a profile. */
export function readSetting(root: string, name: string): string {
  const file = fileOf(root, name)
  if (!existsSync(file)) return NOT_THERE
  const text = readFileSync(file, 'utf8').trim().split(/\s+/).join(' ')
  // Of `always [madvise] never` the one in brackets holds.
  return name === HUGE ? (/\[(\w+)\]/.exec(text)?.[1] ?? text) : text
}

/** Throws what the kernel says to it. */
export function writeSetting(root: string, name: string, value: string): void {
  writeFileSync(fileOf(root, name), `${value}\n`)
}

/** Whether it may be written: by root, and not where the file system is read-only. What is not there does not forbid it. */
export function isWritable(root: string, name: string): boolean {
  if (process.getuid?.() !== 0) return false
  const file = fileOf(root, name)
  if (!existsSync(file)) return true
  try {
    accessSync(file, constants.W_OK)
    return true
  } catch {
    return false
  }
}

/** Setting → what it is, of those that are not as they should be. */
export function differences(root: string, settings: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(settings).flatMap(([name, wanted]) => {
      const actual = readSetting(root, name)
      return actual === wanted ? [] : [[name, actual]]
    }),
  )
}
