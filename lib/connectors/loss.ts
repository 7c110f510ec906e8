/** The end of a connection: the first reason counts, also for who asks later. */
export class Loss {
  error: Error | undefined
  private readonly listeners = new Set<(error: Error) => void>()

  tell(error: Error): void {
    if (this.error !== undefined) return
    this.error = error
    for (const listener of this.listeners) listener(error)
  }

  listen(listener: (error: Error) => void): () => void {
    if (this.error === undefined) this.listeners.add(listener)
    else listener(this.error)
    return () => this.listeners.delete(listener)
  }
}
