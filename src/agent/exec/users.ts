import { readFileSync } from 'node:fs'

/** A user of /etc/passwd by name or number, or null. */
export function lookupUser(name: string): { uid: number; gid: number } | null {
  const line = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .map((text) => text.split(':'))
    .find((fields) => fields[0] === name || fields[2] === name)
  return line ? { uid: Number(line[2]), gid: Number(line[3]) } : null
}
