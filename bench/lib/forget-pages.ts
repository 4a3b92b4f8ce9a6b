import { spawnSync } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'

/** Takes the segments' pages out of the kernel's memory, as after a night nobody asked. Gives whether it could. */
export function forgetPages(dir: string): boolean {
  const folder = join(dir, 'segments')
  return readdirSync(folder).every(
    (file) => spawnSync('dd', [`if=${join(folder, file)}`, 'iflag=nocache', 'count=0', 'status=none'], { stdio: 'ignore' }).status === 0,
  )
}
