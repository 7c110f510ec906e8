/** Numbers to be had again, the lowest first: which one comes next depends on which there are, not on how they came. */
export class Free {
  private heap: number[] = []

  push(number: number): void {
    const { heap } = this
    let at = heap.length
    heap.push(number)
    while (at > 0) {
      const parent = (at - 1) >> 1
      if (heap[parent]! <= number) break
      heap[at] = heap[parent]!
      at = parent
    }
    heap[at] = number
  }

  pop(): number | undefined {
    const { heap } = this
    const first = heap[0]
    const last = heap.pop()
    if (last === undefined || heap.length === 0) return first
    let at = 0
    for (let child = 1; child < heap.length; child = 2 * at + 1) {
      if (child + 1 < heap.length && heap[child + 1]! < heap[child]!) child++
      if (heap[child]! >= last) break
      heap[at] = heap[child]!
      at = child
    }
    heap[at] = last
    return first
  }

  clear(): void {
    this.heap = []
  }
}
