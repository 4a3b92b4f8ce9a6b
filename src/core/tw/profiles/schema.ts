import { z } from 'zod'
import { parseSize } from '../../kernel/units.ts'

/** A profile as it is carried out: kernel settings a node is to have, each by its name, and labels of nodes that have them. */
export interface HostProfile {
  name: string
  /** nothing runs on a node while it is switched */
  drains: boolean
  /** `vm.swappiness`, `transparent_hugepages`, `hugepages.2048kB`, `governor`, `rlimit.nofile` → value, its words apart by one space */
  settings: Record<string, string>
  labels: Record<string, string>
}

const words = (text: string): string => text.trim().split(/\s+/).join(' ')
const value = z
  .union([z.string(), z.number()])
  .transform((it) => words(String(it)))
  .pipe(z.string().min(1, 'a setting has a value').max(256))
const NAMED = /^[a-z]\w*(\.[\w:@-]+)+$/
/** As sysctl(8) has it for names with dots in them: `net/ipv4/conf/eth0.100/rp_filter`. */
const SLASHED = /^[a-z]\w*(\/[\w:@-][\w.:@-]*)+$/
const sysctl = z
  .string()
  .refine((name) => NAMED.test(name) || SLASHED.test(name), 'a sysctl is named like vm.swappiness or net/ipv4/conf/eth0.100/rp_filter')
/** Resource limits of every task, by the names of prlimit(1). */
const LIMITS = ['nofile', 'nproc', 'memlock', 'stack', 'rtprio', 'sigpending', 'msgqueue'] as const
/** `1048576`, `64MiB`, `unlimited`, or soft and hard apart: `1024:unlimited`. As the kernel tells them: both only where they differ. */
const limit = z.union([z.string(), z.int().min(0)]).transform((it, ctx): string => {
  const parts = String(it).split(':')
  const told = parts.map((part) => (part === 'unlimited' ? part : /^\d+$/.test(part) ? part : String(parseSize(part) ?? '')))
  if (parts.length <= 2 && !told.includes('')) return told[0] === told[1] || told.length === 1 ? (told[0] ?? '') : told.join(':')
  ctx.addIssue({ code: 'custom', message: 'a limit is a number, a size or `unlimited`, or two of them: SOFT:HARD' })
  return z.NEVER
})
const pageSize = z.string().refine((text) => (parseSize(text) ?? 0) >= 1024, 'a page size is written like 2MiB or 1GiB')

/** The file of a profile. */
export const hostProfileSchema = z
  .strictObject({
    profile: z.string().regex(/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/, 'a name has a-z, 0-9 and -, at most 63'),
    drain: z.boolean().prefault(false),
    sysctls: z.record(sysctl, value).prefault({}),
    transparent_hugepages: z.enum(['always', 'madvise', 'never']).optional(),
    hugepages: z.record(pageSize, z.int().min(0)).prefault({}),
    /** of the CPU frequency, of all CPUs */
    governor: z
      .string()
      .regex(/^[a-z_]{1,32}$/, 'a governor is named like performance or schedutil')
      .optional(),
    rlimits: z.partialRecord(z.enum(LIMITS), limit).prefault({}),
    labels: z
      .record(
        z.string().regex(/^[\w.-]{1,63}$/, 'a label is letters, digits, "_", "-" and "."'),
        z.union([z.string().max(256), z.number(), z.boolean()]).transform(String),
      )
      .prefault({}),
  })
  .refine(
    (file) =>
      [file.sysctls, file.hugepages, file.rlimits].some((part) => Object.keys(part).length > 0) ||
      (file.transparent_hugepages ?? file.governor) !== undefined,
    'a profile has at least one setting',
  )
  .transform(({ profile, drain, sysctls, transparent_hugepages: huge, hugepages, governor, rlimits, labels }): HostProfile => ({
    name: profile,
    drains: drain,
    settings: {
      ...sysctls,
      ...(huge === undefined ? {} : { transparent_hugepages: huge }),
      ...Object.fromEntries(Object.entries(hugepages).map(([size, n]) => [`hugepages.${(parseSize(size) ?? 0) / 1024}kB`, String(n)])),
      ...(governor === undefined ? {} : { governor }),
      ...Object.fromEntries(Object.entries(rlimits).map(([name, value]) => [`rlimit.${name}`, value])),
    },
    labels,
  }))

export type HostProfileFile = z.input<typeof hostProfileSchema>
