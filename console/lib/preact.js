// Preact and htm from one place, with the one hook that the standalone build lacks.

import { useState } from "../vendor/preact.js";

export {
  html,
  render,
  useCallback,
  useEffect,
  useErrorBoundary,
  useLayoutEffect,
  useRef,
  useState,
} from "../vendor/preact.js";

let ids = 0;

/** An id that no other element has. */
export function useId() {
  const [id] = useState(() => `f${(ids += 1)}`);
  return id;
}
