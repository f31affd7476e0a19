/**
 * Lets the page do what else waits. Not by a timer where that can be helped: those of a hidden
 * page fire once a second or less.
 */
export const nextTurn = () =>
  new Promise((resolve) => {
    const { scheduler } = globalThis;
    if (typeof scheduler?.postTask === "function") scheduler.postTask(resolve);
    else setTimeout(resolve);
  });
