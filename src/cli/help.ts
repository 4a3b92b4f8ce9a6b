import type { Program } from './main.ts'
import type { Resolution } from './resolve.ts'

export async function showHelp(_words: readonly string[], _found: Resolution | null, program: Program): Promise<void> {
  process.stdout.write(program.ids.map((id) => `  muster ${id.replaceAll(':', ' ')}\n`).join(''))
}
