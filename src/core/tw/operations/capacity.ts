import { z } from 'zod'
import { defineQuery } from '../../contracts/operation.ts'
import { CAPACITY_KEYS, capacityOf } from '../views/capacity.ts'
import { ownerCapacity } from '../views/owner-capacity.ts'

const amounts = z.object({ cpuMilli: z.number(), memoryBytes: z.number(), diskBytes: z.number(), gpuMilli: z.number() })

export const capacity = defineQuery({
  name: 'tw.capacity',
  summary: 'Show what the fleet has, what is reserved, what is stranded, and the largest task that fits.',
  input: z.object({ by: z.enum([...CAPACITY_KEYS, 'entitlement']).optional() }),
  output: z.array(
    z.object({
      of: z.string(),
      nodes: z.int(),
      total: amounts,
      allocatable: amounts,
      reserved: amounts,
      stranded: z.object({ cpuMilli: z.number(), memoryBytes: z.number() }),
      largest: z
        .object({ node: z.string(), cpuMilli: z.number(), memoryBytes: z.number(), diskBytes: z.number(), gpus: z.number() })
        .nullable(),
    }),
  ),
  answer: (db, { by }) => (by === 'entitlement' ? ownerCapacity(db) : capacityOf(db, by ?? null)),
})
