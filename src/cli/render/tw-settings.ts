import type { View } from '../terminal.ts'
import { fields } from './table.ts'

export function renderSettings(view: View, { stormRate }: { stormRate: number }): string {
  return fields(view, [['storm rate', `${stormRate} starts a second after a mass failure`]])
}
