import type { LogBase } from '../../../core/contracts/ordered-log.ts'
import type { Stretch } from '../../../core/contracts/stretch.ts'

/** `baseAt` of a loglet that counts no slots: who holds everything up to a position goes on right behind it. */
export function plainBaseAt({ loglet, head, tail }: Pick<Stretch, 'loglet' | 'head' | 'tail'>, position: number): LogBase | null {
  return position + 1 >= head() && position < tail() ? { position: position + 1, loglet, slot: 0 } : null
}
