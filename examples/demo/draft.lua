-- A draft, three critiques asked at once, a revision.
local task = ctx.task or "Explain what a supervisor does"
local views = ctx.views or { "correctness", "clarity", "brevity" }

alc.progress(1, 3, "drafting")
local draft = alc.llm("Write one short paragraph. Task: " .. task, { system = "You write plainly." })
alc.log("info", "the draft has " .. #draft .. " bytes")

alc.progress(2, 3, "asking for critiques")
local questions = {}
for i, view in ipairs(views) do
  questions[i] = { prompt = "Judge the " .. view .. " of this text in one sentence:\n\n" .. draft }
end
local critiques = alc.llm_batch(questions)

alc.progress(3, 3, "revising")
local advice = {}
for i, view in ipairs(views) do
  advice[i] = "- " .. view .. ": " .. critiques[i]
end
local final = alc.llm("Revise the text.\n\nText:\n" .. draft .. "\n\nAdvice:\n" .. table.concat(advice, "\n"))

return { task = task, draft = draft, critiques = critiques, final = final }
