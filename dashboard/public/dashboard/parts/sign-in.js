// @ts-check
import { signIn } from "../session.js";
import { h } from "./dom.js";

/**
 * @param {string} problem
 * @param {() => void} done
 */
export function signInForm(problem, done) {
  const field = h("input", {
    id: "token",
    type: "password",
    autocomplete: "current-password",
    required: true,
    "aria-describedby": "token-help",
  });
  const submit = (/** @type {Event} */ event) => {
    event.preventDefault();
    if (field.value.trim() === "") return;
    signIn(field.value);
    done();
  };
  return h(
    "form",
    { class: "sign-in", submit },
    h("h1", {}, "Sign in"),
    problem === "" ? null : h("p", { class: "problem", role: "alert" }, problem),
    h("label", { for: "token" }, "Admin token"),
    field,
    h(
      "p",
      { id: "token-help", class: "soft" },
      h("code", {}, "npm run dev"),
      " prints it. Elsewhere it is the secret ",
      h("code", {}, "PAWL_ADMIN_TOKEN"),
      ". This tab forgets it when it is closed.",
    ),
    h("button", { type: "submit", class: "primary" }, "Sign in"),
  );
}
