import { accessSync, constants, existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { readLimit, writeLimit } from './process-limits.ts'

/* Settings by the names a profile has for them: `vm.swappiness`, `transparent_hugepages`, `hugepages.2048kB`, `governor`, `rlimit.nofile`. */

/** What a setting that this kernel does not have reads as. */
export const NOT_THERE = 'not there'
const HUGE = 'transparent_hugepages'
const GOVERNOR = 'governor'

/** Of which process? Of this one, the agent, and so of every task that it starts; not of the machine. */
const limitOf = (name: string): string | null => /^rlimit\.(\w+)$/.exec(name)?.[1] ?? null

/** Whether a setting is forgotten when the agent ends. */
export const isOfAgent = (name: string): boolean => limitOf(name) !== null

/** The files of a setting, in their order: one, but for those that each CPU has. @param root `/`, or a folder that stands for it */
function filesOf(root: string, name: string): string[] {
  if (name === GOVERNOR) return governorsOf(join(root, 'sys/devices/system/cpu'))
  if (name === HUGE) return [join(root, 'sys/kernel/mm/transparent_hugepage/enabled')]
  const pages = /^hugepages\.(\d+kB)$/.exec(name)
  if (pages !== null) return [join(root, `sys/kernel/mm/hugepages/hugepages-${pages[1]}/nr_hugepages`)]
  const path = name.includes('/') ? name.split('/') : name.split('.')
  if (path.some((part) => part === '' || part === '.' || part === '..')) throw new Error(`"${name}" is no name of a setting`)
  return [join(root, 'proc/sys', ...path)]
}

function governorsOf(folder: string): string[] {
  if (!existsSync(folder)) return []
  const cpus = readdirSync(folder).flatMap((name) => /^cpu(\d+)$/.exec(name)?.[1] ?? [])
  return cpus
    .map(Number)
    .sort((a, b) => a - b)
    .map((cpu) => join(folder, `cpu${cpu}/cpufreq/scaling_governor`))
    .filter((file) => existsSync(file))
}

/** Its value, words apart by one space as in a profile; where not all CPUs have the same: that of each. */
export function readSetting(root: string, name: string): string {
  const limit = limitOf(name)
  if (limit !== null) return readLimit(limit) ?? NOT_THERE
  const files = filesOf(root, name).filter((file) => existsSync(file))
  if (files.length === 0) return NOT_THERE
  const texts = files.map((file) => readFileSync(file, 'utf8').trim().split(/\s+/).join(' '))
  const text = new Set(texts).size === 1 ? (texts[0] ?? '') : texts.join(' ')
  // Of `always [madvise] never` the one in brackets holds.
  return name === HUGE ? (/\[(\w+)\]/.exec(text)?.[1] ?? text) : text
}

/** Throws what the kernel says to it. */
export function writeSetting(root: string, name: string, value: string): void {
  const limit = limitOf(name)
  if (limit !== null) return writeLimit(limit, value)
  const files = filesOf(root, name)
  const each = value.split(' ')
  for (const [i, file] of files.entries()) writeFileSync(file, `${files.length > 1 && each.length === files.length ? each[i] : value}\n`)
}

/** Whether it may be written: by root, and not where the file system is read-only. What is not there does not forbid it. */
export function isWritable(root: string, name: string): boolean {
  if (process.getuid?.() !== 0) return false
  if (limitOf(name) !== null) return true
  try {
    for (const file of filesOf(root, name)) if (existsSync(file)) accessSync(file, constants.W_OK)
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
