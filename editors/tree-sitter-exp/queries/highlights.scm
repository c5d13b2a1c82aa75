; Words
[
  "use" "axis" "type" "pub" "fn" "let" "mut" "for" "in" "while" "return" "if" "else" "match"
  "experiment" "input" "intrinsic" "vjp" "site" "expect" "with" "capture" "fit" "plot" "like" "as"
] @keyword
["and" "or" "not"] @keyword.operator
(boolean) @boolean

; Literals
(number) @number
(string) @string
(hole "{" @punctuation.special "}" @punctuation.special) @embedded
(format) @string.special
(comment) @comment
((comment) @comment.documentation (#match? @comment.documentation "^##"))

; What is declared
(fn_item name: (ident) @function)
(type_item (ident) @type)
(param (ident) @variable.parameter)
(generic (ident) @type.parameter)
(generic (makes (ident) @type.parameter))
(axis_decl (ident) @label)
(input_item (ident) @variable)
(plot_stmt (ident) @function.builtin)

; Types
(named_ty (path (ident) @type))
(list_ty "list" @type)
(field_ty (ident) @property)

; Axes
(axis_ref (ident) @label)
(row_var (ident) @label)
(index . (ident) @label)
(slice . (ident) @label . "->" . (ident) @label)
(rename (ident) @label)
(split . (ident) @label)
(part . (ident) @label)
(merge (ident) @label)
(contract (ident) @label)
(binder (ident) "in" (ident) @label)

; Calls, fields, names of arguments
(postfix_expr (ident) @function.call . (call))
(postfix_expr (postfix_expr (ident) @function.call (brackets)) . (call))
(postfix_expr (postfix_expr (field (ident) @function.call)) . (call))
(stage (ident) @function.call)
(field (ident) @property)
(arg_name (ident) @property)
(entry (ident) @property ":")
(hook . (ident) @variable)
(site_path (ident) @property)
(use_item (path (ident) @module))
(alias (ident) @module)

; Signs
[
  "=" "+=" "-=" "*=" "/=" "+" "-" "*" "/" "%" "^" "==" "!=" "<=" ">=" "<" ">" "|>" "->" "=>" ".." "..="
  "~" "≈" "+-" "±"
] @operator
["(" ")" "[" "]" "{" "}" "@["] @punctuation.bracket
["," ":" ";" "."] @punctuation.delimiter
