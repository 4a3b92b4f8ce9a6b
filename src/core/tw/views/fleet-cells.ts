/** A node, a rack or some racks: one cell of the heat map. */
export interface FleetCell {
  name: string
  nodes: number
  lost: number
  /** cordoned or drained, and there */
  closed: number
  tasks: number
  cpuMilli: number
  cpuReserved: number
  memoryBytes: number
  memoryReserved: number
}

/** Every `each` neighbours as one. */
export function mergeCells(cells: readonly FleetCell[], each: number): FleetCell[] {
  const merged: FleetCell[] = []
  for (let i = 0; i < cells.length; i += Math.max(1, each)) {
    const some = cells.slice(i, i + Math.max(1, each))
    const total = (key: Exclude<keyof FleetCell, 'name'>): number => some.reduce((sum, cell) => sum + cell[key], 0)
    const first = some[0]?.name ?? ''
    merged.push({
      name: some.length > 1 ? `${first}…${some.at(-1)?.name ?? ''}` : first,
      nodes: total('nodes'),
      lost: total('lost'),
      closed: total('closed'),
      tasks: total('tasks'),
      cpuMilli: total('cpuMilli'),
      cpuReserved: total('cpuReserved'),
      memoryBytes: total('memoryBytes'),
      memoryReserved: total('memoryReserved'),
    })
  }
  return merged
}
